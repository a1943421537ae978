"""Inward: gRPC and the command line; read, call, render."""
