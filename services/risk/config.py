"""What a risk process can be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import ServiceSettings

HERE = Path(__file__).parent


class RiskSettings(ServiceSettings):
    """Settings of risk, from variables that begin with RISK_."""

    model_config = SettingsConfigDict(env_prefix="RISK_", protected_namespaces=())

    grpc_port: int = Field(7103, description="Port of the gRPC API.")
    metrics_port: int = Field(7203, description="Port of the Prometheus metrics; 0 is off.")
    database_url: str = Field(
        "sqlite+aiosqlite:///data/risk.db", description="Its own database, SQLite or PostgreSQL."
    )
    policy_file: Path = Field(
        HERE / "policies" / "cn-consumer-2026-01.toml", description="The policy rules in force."
    )
    model_file: Path = Field(
        HERE / "models" / "german-woe-1.json", description="The scorecard in force."
    )
    warning_file: Path = Field(
        HERE / "policies" / "early-warning-2026-01.toml", description="The early-warning rules."
    )
