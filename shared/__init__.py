"""What every service shares: the pure kernel and the I/O runtime."""
