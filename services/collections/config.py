"""What a collections process can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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
    risk_target: str = Field("127.0.0.1:7103", description="Where risk listens.")
    ledger_verifier_keys: str = Field(
        "",
        description="The ledger's verifier keys, separated by commas: its signed checkpoints are"
        " held against each other; empty holds none.",
    )
    policy_folder: Path = Field(
        HERE / "policies", description="Contact rules and treatment strategies."
    )
    clock: Literal["business", "wall"] = Field(
        "business",
        description="Messages go out by the business date (a sample book), or by the wall's clock.",
    )
    mute_history: Literal["clock", "yes", "no"] = Field(
        "clock",
        description="A new subscriber hears history without sending anything: yes, no, or by the "
        "clock (yes with the wall's, where a lost database must not write to everybody again).",
    )
    creditor: str = Field("Duebook Consumer Finance", description="Who writes, in every message.")
    personal_key_file: Path | None = Field(
        None,
        description="Key that seals addresses, letters and notes per borrower (openssl rand"
        " -base64 32); unset, they are stored as they are, which production refuses.",
    )
    outbox_folder: Path = Field(
        Path("data/outbox"), description="Where letters are written, and what has no carrier."
    )
    smtp_host: str = Field("", description="SMTP server for e-mail; empty: the outbox folder.")
    smtp_port: int = Field(587, description="Its port.")
    smtp_starttls: bool = Field(True, description="Refuse a server without STARTTLS.")
    smtp_user: str = Field("", description="User at the SMTP server; empty: no login.")
    smtp_password: str = Field("", description="Its password.")
    smtp_sender: str = Field("service@duebook.example", description="Sender of every e-mail.")
    webhook_url: str = Field("", description="Carrier of SMS and voice; empty: the outbox folder.")
    webhook_secret: str = Field("", description="Signs every post to the carrier.")
