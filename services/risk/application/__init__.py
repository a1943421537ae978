"""What can be asked of risk."""
