"""What can be asked of collections, and what it does on events."""
