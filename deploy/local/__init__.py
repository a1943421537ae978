"""Run the whole suite on one machine, on embedded parts."""
