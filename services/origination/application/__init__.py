"""What can be asked of origination."""
