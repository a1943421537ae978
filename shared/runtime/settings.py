"""Settings come from the environment, one prefix per service, and explain themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from shared.runtime.nats_address import nats_address
from shared.runtime.tls import PLAIN, Tls, TlsMissing


class ServiceSettings(BaseSettings):
    """What every service can be told; a subclass sets the prefix and its own defaults."""

    grpc_host: str = Field("127.0.0.1", description="Address to listen on.")
    grpc_port: int = Field(0, description="Port of the gRPC API.")
    metrics_port: int = Field(0, description="Port of the Prometheus metrics; 0 turns them off.")
    nats_url: str = Field(
        "nats://127.0.0.1:7422",
        description="The NATS server with JetStream; tls://host:port?ca=file&cert=file&key=file.",
    )
    database_url: str = Field("", description="sqlite+aiosqlite:///file or postgresql+asyncpg://…")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    otlp_endpoint: str = Field("", description="Where traces go, host:port; empty keeps them in.")
    deadline_seconds: float = Field(10.0, description="Limit of a call to another service.")
    profile: Literal["development", "production"] = Field(
        "development",
        description="development: without TLS every caller may everything; production refuses to"
        " start without TLS and roles.",
    )
    tls_certificate_file: Path | None = Field(
        None, description="This process's certificate, PEM; its URI SAN says who it is."
    )
    tls_key_file: Path | None = Field(None, description="The certificate's secret key, PEM.")
    tls_ca_file: Path | None = Field(None, description="Who may issue certificates, PEM.")
    roles_file: Path | None = Field(
        None, description="Who may call what, TOML; deploy/security/roles.toml is one."
    )

    def tls(self) -> Tls:
        """
        Return how this process proves who it is, and whom it believes; PLAIN without files.

        Raises:
            TlsMissing: some of the files are not named or not there, or the profile needs them.
        """
        files = (self.tls_certificate_file, self.tls_key_file, self.tls_ca_file)
        if not any(files):
            if self.profile == "production":
                raise TlsMissing(f"the production profile needs {self._named('tls_ca_file')}, …")
            return PLAIN
        for name, file in zip(
            ("tls_certificate_file", "tls_key_file", "tls_ca_file"), files, strict=True
        ):
            if file is None or not file.is_file():
                raise TlsMissing(f"{self._named(name)} is {file or 'not set'}: no such file")
        return Tls(*(file.read_bytes() for file in files if file is not None))

    def roles_path(self) -> Path | None:
        """
        Return the role file; None without TLS, when nobody is known.

        Raises:
            TlsMissing: there are certificates and no roles, or roles and no certificates; or the
                production profile would reach NATS without TLS.
        """
        secured, name = self.tls() is not PLAIN, self._named("roles_file")
        if secured and (self.roles_file is None or not self.roles_file.is_file()):
            raise TlsMissing(f"{name} is {self.roles_file or 'not set'}: no such file")
        if self.profile == "production" and not self.nats_url.startswith("tls://"):
            raise TlsMissing(
                f"{self._named('nats_url')} is {self.nats_url}: the production profile needs"
                " tls://host:port?ca=file&cert=file&key=file"
            )
        nats_address(self.nats_url)
        if self.roles_file is not None and not secured:
            raise TlsMissing(f"{name} is set, but without TLS nobody's role is known")
        return self.roles_file

    def _named(self, field: str) -> str:
        return f"{self.model_config.get('env_prefix', '')}{field.upper()}"


def describe(settings: type[ServiceSettings]) -> str:
    """Return one line per variable: name, default, meaning."""
    prefix = settings.model_config.get("env_prefix", "")
    rows = [
        (f"{prefix}{name.upper()}", str(field.default), field.description or "")
        for name, field in settings.model_fields.items()
    ]
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"  {name:<{width}}  {text} [{default}]" for name, default, text in rows)
