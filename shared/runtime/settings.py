"""Settings come from the environment, one prefix per service, and explain themselves."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class ServiceSettings(BaseSettings):
    """What every service can be told; a subclass sets the prefix and its own defaults."""

    grpc_host: str = Field("127.0.0.1", description="Address to listen on.")
    grpc_port: int = Field(0, description="Port of the gRPC API.")
    metrics_port: int = Field(0, description="Port of the Prometheus metrics; 0 turns them off.")
    nats_url: str = Field("nats://127.0.0.1:7422", description="The NATS server with JetStream.")
    database_url: str = Field("", description="sqlite+aiosqlite:///file or postgresql+asyncpg://…")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    otlp_endpoint: str = Field("", description="Where traces go, host:port; empty keeps them in.")
    deadline_seconds: float = Field(10.0, description="Limit of a call to another service.")


def describe(settings: type[ServiceSettings]) -> str:
    """Return one line per variable: name, default, meaning."""
    prefix = settings.model_config.get("env_prefix", "")
    rows = [
        (f"{prefix}{name.upper()}", str(field.default), field.description or "")
        for name, field in settings.model_fields.items()
    ]
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"  {name:<{width}}  {text} [{default}]" for name, default, text in rows)
