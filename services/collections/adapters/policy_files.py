"""Policies from TOML files; a file that does not hold together stops the start."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from services.collections.application.ports import Policies
from services.collections.domain.contact_rules import Rules
from services.collections.domain.matter import LegalPolicy
from services.collections.domain.treatment import Strategy, checked


def read_policies(folder: Path) -> Policies:
    """Read contact/*.toml (rows), treatment/*.toml and legal/*.toml (one policy each)."""
    rules: list[Rules] = []
    for path in sorted((folder / "contact").glob("*.toml")):
        rows = tomllib.loads(path.read_text("utf-8"))["rows"]
        rules += msgspec.convert(rows, list[Rules])
    strategies = [
        read_strategy(path.read_text("utf-8"))
        for path in sorted((folder / "treatment").glob("*.toml"))
    ]
    legal = [
        msgspec.convert(tomllib.loads(path.read_text("utf-8")), LegalPolicy)
        for path in sorted((folder / "legal").glob("*.toml"))
    ]
    return Policies(tuple(rules), tuple(strategies), tuple(legal))


def read_strategy(text: str) -> Strategy:
    """Read one strategy; raises StrategyInvalid, or msgspec's and TOML's own errors."""
    return checked(msgspec.convert(tomllib.loads(text), Strategy))
