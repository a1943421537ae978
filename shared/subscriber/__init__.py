"""The delinquency event stream for those who build on it: in order, complete, and each once."""
