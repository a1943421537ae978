"""Outward: risk and ledger."""
