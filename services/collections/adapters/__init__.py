"""Outward: the outbox of messages to borrowers."""
