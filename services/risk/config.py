"""What a risk process can be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import ServiceSettings

APPLICATION_ID = 0x44554553
"""Marks a SQLite file as risk's: "DUES"."""
HERE = Path(__file__).parent


class RiskSettings(ServiceSettings):
    """Settings of risk, from variables that begin with RISK_."""

    model_config = SettingsConfigDict(env_prefix="RISK_", protected_namespaces=())

    grpc_port: int = Field(7103, description="Port of the gRPC API.")
    metrics_port: int = Field(7203, description="Port of the Prometheus metrics; 0 is off.")
    database_url: str = Field(
        "sqlite+aiosqlite:///data/risk.db", description="Its own database, SQLite or PostgreSQL."
    )
    policy_folder: Path = Field(
        HERE / "policies" / "underwriting",
        description="Every version of the policy, one TOML file each.",
    )
    affordability_folder: Path = Field(
        HERE / "policies" / "affordability",
        description="Every version of the rules for hardship plans, one TOML file each.",
    )
    model_folder: Path = Field(
        HERE / "models", description="Every trained model that a policy names, one JSON file each."
    )
    loss_file: Path = Field(
        HERE / "policies" / "expected-loss-2026-12.toml", description="Rules of expected loss."
    )
    monitoring_file: Path = Field(
        HERE / "policies" / "monitoring-2026-12.toml", description="Bounds of model monitoring."
    )
    bureau_url: str = Field("", description="HTTP API of a credit bureau; empty asks none.")
    bureau_folder: Path | None = Field(
        None, description="Reports as files, if there is no URL; such as B-0001.CNY.json."
    )
    bureau_timeout_seconds: float = Field(2.0, description="Longest wait for the bureau.")
    income_url: str = Field(
        "", description="HTTP API of who confirms incomes; empty asks none, as without a consent."
    )
    income_folder: Path | None = Field(
        None, description="Confirmed incomes as files, if there is no URL; such as B-0001.CNY.json."
    )
    income_timeout_seconds: float = Field(2.0, description="Longest wait for a confirmed income.")
    ledger_target: str = Field("127.0.0.1:7102", description="Where the ledger listens.")
    ledger_verifier_keys: str = Field(
        "",
        description="The ledger's verifier keys, separated by commas: its signed checkpoints are"
        " held against each other; empty holds none.",
    )
    warning_file: Path = Field(
        HERE / "policies" / "early-warning-2026-12.toml", description="The early-warning rules."
    )
    sharing_file: Path = Field(
        HERE / "policies" / "loss-sharing-2026-12.toml", description="Who bears losses."
    )
    group_warning_file: Path = Field(
        HERE / "policies" / "group-warning-2026-12.toml",
        description="The rules of early warning for regions and partners.",
    )
