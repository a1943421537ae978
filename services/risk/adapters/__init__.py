"""Outward: artefacts on disk, training."""
