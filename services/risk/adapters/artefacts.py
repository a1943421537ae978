"""Policies and models as files: read once, at the start, and never code that is run."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from services.risk.domain.boosted_trees import BoostedTrees
from services.risk.domain.decision import Models
from services.risk.domain.loss_sharing import SharingRules
from services.risk.domain.plan_affordability import PlanPolicy
from services.risk.domain.policy import Policies, Policy
from services.risk.domain.population import Population
from services.risk.domain.scorecard import Scorecard
from services.risk.domain.staging import LossRules

POPULATIONS = "populations"
_KINDS = (("-woe-", Scorecard), ("-trees-", BoostedTrees))


def read_policies(folder: Path) -> Policies[Policy]:
    """Return every version of the underwriting policy in a folder of TOML files."""
    files = sorted(folder.glob("*.toml"))
    return Policies(msgspec.convert(read_toml(file), Policy) for file in files)


def read_plan_policies(folder: Path) -> Policies[PlanPolicy]:
    """Return every version of the rules for hardship plans in a folder of TOML files."""
    files = sorted(folder.glob("*.toml"))
    return Policies(msgspec.convert(read_toml(file), PlanPolicy) for file in files)


def read_models(folder: Path) -> Models:
    """Return every scorecard and challenger in a folder of JSON files, told apart by name."""
    found: dict[type, list] = {Scorecard: [], BoostedTrees: []}
    for file in sorted(folder.glob("*.json")):
        kind = next(kind for part, kind in _KINDS if part in file.name)
        found[kind].append(msgspec.json.decode(file.read_bytes(), type=kind))
    return Models(found[Scorecard], found[BoostedTrees])


def read_populations(folder: Path) -> dict[str, Population]:
    """Return whom cards were trained on that do not say it themselves, by version."""
    files = sorted((folder / POPULATIONS).glob("*.json"))
    found = [msgspec.json.decode(file.read_bytes(), type=Population) for file in files]
    return {one.version: one for one in found}


def read_loss_rules(file: Path) -> LossRules:
    """Return the rules of expected loss, or raise WeightsDoNotAddUp."""
    rules = msgspec.convert(read_toml(file), LossRules)
    rules.check()
    return rules


def read_sharing_rules(file: Path) -> SharingRules:
    """Return the rules of who bears losses."""
    return msgspec.convert(read_toml(file), SharingRules)


def read_book_rules(loss_file: Path, sharing_file: Path) -> tuple[LossRules, SharingRules]:
    """Return all rules of the whole book: what it is expected to lose, and who bears that."""
    return read_loss_rules(loss_file), read_sharing_rules(sharing_file)


def read_toml(path: Path) -> dict[str, object]:
    """Return a TOML file as it is."""
    return tomllib.loads(path.read_text(encoding="utf-8"))
