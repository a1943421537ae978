"""What a ledger process can be told."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import ServiceSettings


class LedgerSettings(ServiceSettings):
    """Settings of the ledger, from variables that begin with LEDGER_."""

    model_config = SettingsConfigDict(env_prefix="LEDGER_")

    grpc_port: int = Field(7102, description="Port of the gRPC API.")
    metrics_port: int = Field(7202, description="Port of the Prometheus metrics; 0 is off.")
    database_url: str = Field(
        "sqlite+aiosqlite:///data/ledger.db",
        description="The event log; sqlite+aiosqlite:///file or postgresql+asyncpg://…",
    )
    read_database_url: str = Field(
        "", description="The read models; empty: beside the log (…-read.db) or the same database."
    )

    def read_url(self) -> str:
        """Return where the read models live."""
        if self.read_database_url:
            return self.read_database_url
        if self.database_url.startswith("sqlite"):
            return self.database_url.removesuffix(".db") + "-read.db"
        return self.database_url
