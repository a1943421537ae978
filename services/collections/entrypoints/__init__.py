"""Inward: gRPC, delinquency events and the command line."""
