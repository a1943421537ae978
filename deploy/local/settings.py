"""What a local run can be told: where its data lies and where everything listens."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from shared.audit.checkpoints import load_signer

SERVICES = ("risk", "ledger", "origination", "collections")
VERIFYING = ("risk", "collections")
LOG_ORIGIN = "duebook.local/ledger"
PORTS = {"nats": 7422, "origination": 7101, "ledger": 7102, "risk": 7103, "collections": 7104}


DATA_FORMAT = "2"


class DataOfAnotherVersion(Exception):
    """The folder holds data that this version cannot read."""


class PortInUse(Exception):
    """A port of the run is taken; the message names the setting to change."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One run."""

    data: Path
    ports: dict[str, int]

    def environment(self, service: str) -> dict[str, str]:
        """Return the variables of one service."""
        prefix, port = service.upper(), self.ports[service]
        variables = {
            "GRPC_PORT": str(port),
            "METRICS_PORT": str(port + 100),
            "NATS_URL": f"nats://127.0.0.1:{self.ports['nats']}",
            "DATABASE_URL": f"sqlite+aiosqlite:///{self.data}/{service}.db",
            "LOG_LEVEL": os.environ.get("DUEBOOK_LOG_LEVEL", "WARNING"),
            "LEDGER_TARGET": self.target("ledger"),
            "RISK_TARGET": self.target("risk"),
            "OUTBOX_FOLDER": str(self.data / "outbox"),
            "PAYOUT_FOLDER": str(self.data / "payouts"),
            "READING_SECONDS_MIN": os.environ.get("DUEBOOK_READING_SECONDS_MIN", "0"),
        }
        return {f"{prefix}_{name}": value for name, value in variables.items()}

    def verifying(self, service: str) -> dict[str, str]:
        """Return by which key a service holds the ledger's checkpoints; made where missing."""
        signer = load_signer(LOG_ORIGIN, self.data / "ledger-signing.key")
        return {f"{service.upper()}_LEDGER_VERIFIER_KEYS": signer.verifier}

    def target(self, service: str) -> str:
        """Return where a service listens."""
        return f"127.0.0.1:{self.ports[service]}"

    def check_data(self) -> None:
        """Raise DataOfAnotherVersion unless the folder is new or of this version's format."""
        self.data.mkdir(parents=True, exist_ok=True)
        stamp = self.data / "format"
        if not any(self.data.iterdir()):
            stamp.write_text(DATA_FORMAT, "utf-8")
        if not stamp.exists() or stamp.read_text("utf-8") != DATA_FORMAT:
            raise DataOfAnotherVersion(
                f"{self.data} was written by another version: "
                "move it away, or set DUEBOOK_DATA to another folder"
            )

    def check_ports(self) -> None:
        """Raise PortInUse unless every port is free."""
        for name, port in self.ports.items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    raise PortInUse(
                        f"port {port} is in use; set DUEBOOK_PORT_{name.upper()} to another"
                    ) from None


def from_environment() -> Settings:
    """Read DUEBOOK_DATA and DUEBOOK_PORT_NATS, _ORIGINATION, _LEDGER, _RISK, _COLLECTIONS."""
    data = Path(os.environ.get("DUEBOOK_DATA", "data")).resolve()
    ports = {n: int(os.environ.get(f"DUEBOOK_PORT_{n.upper()}", p)) for n, p in PORTS.items()}
    return Settings(data, ports)


FETCHED = Path(__file__).parents[2] / "build" / "oracles"
"""Where `make oracles` puts other people's programs."""


def fetched_hledger() -> str:
    """Return how to run hledger: as it was fetched, or else as it is installed."""
    program = FETCHED / "usr" / "bin" / "hledger"
    if not program.exists():
        return "hledger"
    libraries = next((FETCHED / "usr" / "lib").glob("*-linux-gnu"))
    return f"env LD_LIBRARY_PATH={libraries} LANG=C.UTF-8 {program}"
