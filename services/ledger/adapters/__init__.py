"""Outward: the event store, the tables of the read models, the relay to NATS."""
