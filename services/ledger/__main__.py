"""python -m services.ledger: serve the API, or replay the whole book and compare."""

from services.ledger.entrypoints.cli import app

app()
