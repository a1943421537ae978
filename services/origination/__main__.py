"""python -m services.origination: serve the API."""

from services.origination.entrypoints.cli import app

app()
