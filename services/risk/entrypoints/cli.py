"""Risk's command line."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev

import msgspec
import typer

from services.risk.adapters import training
from services.risk.compose import serve_risk
from services.risk.config import HERE, RiskSettings
from shared.runtime.grpc_server import run
from shared.runtime.settings import describe

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Decides whether to lend, and why.\n\nSettings, from the environment:\n\n\b\n"
    + describe(RiskSettings),
)
DATA = HERE.parents[1] / "deploy" / "sample" / "german_credit.csv"


@app.callback(invoke_without_command=True)
def serve(context: typer.Context) -> None:
    """Serve the gRPC API until SIGTERM or Ctrl-C."""
    if context.invoked_subcommand is None:
        run(lambda: serve_risk(RiskSettings()))


@app.command()
def train(data: Path = DATA, out: Path = HERE / "models" / "german-woe-1.json") -> None:
    """Train the scorecard, print its AUC on held-out folds, and write it."""
    rows = training.read_rows(data)
    found = training.cross_validate(rows)
    print(f"AUC {mean(found):.3f} +- {stdev(found):.3f} over {len(found)} held-out folds")
    card = training.train(rows, version="german-woe/1")
    out.write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n")
    print(f"wrote {out}")
