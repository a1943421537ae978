"""What a ledger process can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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

    cache_mib: int = Field(
        256,
        ge=1,
        description="Memory for loans used last, MiB; the followers take as much.",
    )

    log_origin: str = Field(
        "duebook.local/ledger", description="Name of this log in its signed checkpoints."
    )
    signing_key_file: str = Field(
        "",
        description="Secret key of the checkpoints, made where missing; empty: beside the log."
        " Keep it where the database's keeper cannot read it.",
    )

    witnesses: str = Field(
        "",
        description="Who cosigns the checkpoints: address and verifier key, again and again, all"
        " divided by blanks.",
    )

    stream_profile: Literal["local", "production"] = Field(
        "local",
        description="production: publish only where three servers keep each message, or one syncs"
        " each to disk.",
    )
    stream_replicas: int = Field(
        1, description="Servers that keep each published message: 1, 3, 5."
    )
    nats_monitor_url: str = Field(
        "", description="Monitor of a single NATS server, http://host:8222, to see how it syncs."
    )

    hledger: str = Field(
        "hledger", description="How to run hledger, which recomputes the book; see recompute."
    )

    def cache_bytes(self, part: int) -> int:
        """Return one part of so many of the memory for loans used last."""
        return (self.cache_mib << 20) // part

    def signing_key_path(self) -> Path:
        """Return where the secret key of the checkpoints is."""
        if self.signing_key_file:
            return Path(self.signing_key_file)
        if self.database_url.startswith("sqlite"):
            beside = self.database_url.partition("///")[2]
            return Path(beside.removesuffix(".db") + "-signing.key")
        return Path("data/ledger-signing.key")

    def read_url(self) -> str:
        """Return where the read models live."""
        if self.read_database_url:
            return self.read_database_url
        if self.database_url.startswith("sqlite"):
            return self.database_url.removesuffix(".db") + "-read.db"
        return self.database_url
