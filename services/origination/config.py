"""What an origination process can be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import ServiceSettings

HERE = Path(__file__).parent


class OriginationSettings(ServiceSettings):
    """Settings of origination, from variables that begin with ORIGINATION_."""

    model_config = SettingsConfigDict(env_prefix="ORIGINATION_")

    grpc_port: int = Field(7101, description="Port of the gRPC API.")
    metrics_port: int = Field(7201, description="Port of the Prometheus metrics; 0 is off.")
    database_url: str = Field(
        "sqlite+aiosqlite:///data/origination.db", description="Its own database."
    )
    risk_target: str = Field("127.0.0.1:7103", description="Where risk listens.")
    ledger_target: str = Field("127.0.0.1:7102", description="Where the ledger listens.")
    reading_seconds_min: int | None = Field(
        None, description="How long a disclosure must be on show; unset, as the product says."
    )
    applied_days_back_max: int = Field(
        7, ge=0, description="How many days before the business date an application may be dated."
    )
    policies_file: Path = Field(
        HERE / "policies.toml", description="Products, authorities and limits, as dated rows."
    )
    personal_key_file: Path | None = Field(
        None,
        description="Key that seals names, numbers and accounts per borrower (openssl rand -base64"
        " 32); unset, they are stored as they are, which production refuses.",
    )
    payout_url: str = Field(
        "", description="Gateway that pays money out over HTTP; empty pays into the folder."
    )
    payout_folder: Path = Field(
        Path("data/payouts"), description="Folder with one file per payout, without a gateway."
    )
