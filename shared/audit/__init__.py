"""What an auditor runs without the services: standard library only."""
