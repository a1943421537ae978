"""Real certificates and a role file in a folder, and the settings that name them."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path

from deploy.security.certificates import authority, issue
from shared.runtime.tls import Tls

SHIPPED = Path(__file__).parents[3] / "deploy" / "security" / "roles.toml"

PERMISSIONS = SHIPPED.parents[1] / "nats" / "permissions.conf"


@dataclass(frozen=True)
class Secured:
    """One authority, and whom it has issued certificates to."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *callers: str, domain: str = "duebook.example") -> Secured:
        """Make an authority, and the shipped roles with lines of callers added."""
        authority(folder, trust_domain=domain, days=30)
        (folder / "roles.toml").write_text(SHIPPED.read_text() + "\n".join(callers) + "\n")
        return cls(folder)

    def tls(self, identity: str) -> Tls:
        """Issue a certificate, good for servers on this machine too, and return it read."""
        issue(self.folder, identity, host=["localhost", "127.0.0.1"], days=1)
        stem = self.folder / identity.replace("/", "-")
        key = stem.with_name(f"{stem.name}-key.pem").read_bytes()
        return Tls(Path(f"{stem}.pem").read_bytes(), key, (self.folder / "ca.pem").read_bytes())

    def environment(self, prefix: str, identity: str) -> dict[str, str]:
        """Issue a certificate and return the variables of the process that has it."""
        self.tls(identity)
        stem = identity.replace("/", "-")
        return {
            f"{prefix}_PROFILE": "production",
            f"{prefix}_TLS_CERTIFICATE_FILE": str(self.folder / f"{stem}.pem"),
            f"{prefix}_TLS_KEY_FILE": str(self.folder / f"{stem}-key.pem"),
            f"{prefix}_TLS_CA_FILE": str(self.folder / "ca.pem"),
            f"{prefix}_ROLES_FILE": str(self.folder / "roles.toml"),
            f"{prefix}_PERSONAL_KEY_FILE": str(self._personal_key()),
        }

    def _personal_key(self) -> Path:
        """Make the key that seals personal data, once."""
        file = self.folder / "personal.key"
        if not file.exists():
            file.write_text(base64.b64encode(os.urandom(32)).decode())
        return file

    def nats_url(self, port: int, identity: str) -> str:
        """Issue a certificate and return the address of a NATS server on this machine with it."""
        self.tls(identity)
        stem = self.folder / identity.replace("/", "-")
        return f"tls://localhost:{port}?ca={self.folder}/ca.pem&cert={stem}.pem&key={stem}-key.pem"

    def nats_settings(self) -> str:
        """Issue the server's certificate; return the lines that the shipped configuration has."""
        self.tls("service/nats")
        return (
            f'tls {{ cert_file: "{self.folder}/service-nats.pem"\n'
            f'key_file: "{self.folder}/service-nats-key.pem"\nca_file: "{self.folder}/ca.pem"\n'
            f"verify_and_map: true }}\n" + PERMISSIONS.read_text()
        )
