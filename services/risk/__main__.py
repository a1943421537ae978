"""python -m services.risk: serve the API, or train the scorecard."""

from services.risk.entrypoints.cli import app

app()
