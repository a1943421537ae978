"""Inward: gRPC and the command line."""
