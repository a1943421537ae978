"""Cases, contact rules and promises; pure."""
