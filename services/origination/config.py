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
    reading_seconds_min: int = Field(10, description="How long a disclosure must be on show.")
    products_file: Path = Field(HERE / "products.toml", description="The products on offer.")
