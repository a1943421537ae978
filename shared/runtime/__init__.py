"""The I/O that every service does the same way; nothing here knows lending."""
