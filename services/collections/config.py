"""What a collections process can be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import ServiceSettings

HERE = Path(__file__).parent


class CollectionsSettings(ServiceSettings):
    """Settings of collections, from variables that begin with COLLECTIONS_."""

    model_config = SettingsConfigDict(env_prefix="COLLECTIONS_")

    grpc_port: int = Field(7104, description="Port of the gRPC API.")
    metrics_port: int = Field(7204, description="Port of the Prometheus metrics; 0 is off.")
    database_url: str = Field(
        "sqlite+aiosqlite:///data/collections.db", description="Its own database."
    )
    ledger_target: str = Field("127.0.0.1:7102", description="Where the ledger listens.")
    outbox_folder: Path = Field(Path("data/outbox"), description="Where messages are written.")
    policy_file: Path = Field(
        HERE / "policies" / "cn-consumer-2026-01.toml", description="The rules in force."
    )
