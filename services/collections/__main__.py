"""python -m services.collections: serve the API."""

from services.collections.entrypoints.cli import app

app()
