"""Who is held against the kit: a handler on our SDK, a service of ours, any program at all."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.system.processes import ROOT, Service, free_port

OURS = ("stream_read", "stream_places", "stream_parked", "effects", "outbox")
"""Tables that say how it was delivered, not what came of it; the outbox is a queue."""


class Candidate(Protocol):
    """A subscriber as a process that can be killed."""

    def start(self, kill_after: int = 0) -> None:
        """Start it; with `kill_after`, let it die in the middle of its n-th event."""

    def kill(self) -> None:
        """kill -9, unless it is dead already."""

    def wait(self, seconds: float) -> None:
        """Wait until it is dead, at most so long; return at once where it never dies by itself."""

    def heard(self) -> dict[str, list[int]]:
        """Return the numbers of the events that it took in, by loan, in its order."""

    def faults(self) -> set[tuple[str, str]]:
        """Return the faults that it noticed: name and event id."""

    def outcome(self) -> dict[str, list[str]]:
        """Return everything that came of the events: lines by table or file, sorted."""


@dataclass
class Program:
    """
    Any program: it reads NATS_URL, and keeps in FOLDER what it did.

    `effects.jsonl` has a line `{"loan": …, "sequence": …, "daysPastDue": …}` per event taken in,
    `faults.jsonl` a line `{"fault": …, "id": "loan/number"}` per fault noticed; a later line with
    the fault HEALED takes it back.
    """

    command: str
    nats_url: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, kill_after: int = 0) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "NATS_URL": self.nats_url,
            "FOLDER": str(self.folder),
            "KILL_AFTER": str(kill_after),
        }
        with (self.folder / "candidate.log").open("ab") as log:
            self.process = subprocess.Popen(
                shlex.split(self.command), cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def wait(self, seconds: float) -> None:
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)

    def _lines(self, name: str) -> list[dict[str, Any]]:
        file = self.folder / name
        text = file.read_text("utf-8") if file.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1] if line]

    def heard(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for line in self._lines("effects.jsonl"):
            found[line["loan"]].append(line["sequence"])
        return dict(found)

    def faults(self) -> set[tuple[str, str]]:
        found: dict[str, str] = {}
        for line in self._lines("faults.jsonl"):
            if line["fault"] == "HEALED":
                found.pop(line["id"], None)
            else:
                found[line["id"]] = line["fault"]
        return {(fault, name) for name, fault in found.items()}

    def outcome(self) -> dict[str, list[str]]:
        late = {line["loan"]: line["daysPastDue"] for line in self._lines("effects.jsonl")}
        return {"days past due": sorted(f"{loan} {days}" for loan, days in late.items())}


@dataclass
class Handler(Program):
    """A Python handler MODULE:MAKE on our SDK, in tests.conformance.host."""

    @classmethod
    def of(cls, handler: str, nats_url: str, folder: Path) -> Handler:
        """Return the candidate of a handler."""
        command = shlex.join([sys.executable, "-m", "tests.conformance.host", handler])
        return cls(command, nats_url, folder)

    @property
    def database(self) -> Path:
        """Where it keeps what it knows."""
        return self.folder / "subscriber.db"

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        if not self.database.exists():
            return []
        with closing(sqlite3.connect(self.database, timeout=10)) as connection:
            try:
                return connection.execute(query).fetchall()
            except sqlite3.OperationalError:
                return []

    def heard(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for loan_id, number in self._rows("SELECT loan_id, sequence FROM effects ORDER BY number"):
            found[loan_id].append(number)
        return dict(found)

    def faults(self) -> set[tuple[str, str]]:
        rows = self._rows("SELECT reason, loan_id, sequence FROM stream_parked")
        return {(why, f"{loan_id}/{n}") for why, loan_id, n in rows if why != "BEHIND"}

    def outcome(self) -> dict[str, list[str]]:
        tables = [
            name
            for (name,) in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name not in OURS and not name.startswith("sqlite_")
        ]
        found = {name: sorted(map(repr, self._rows(f'SELECT * FROM "{name}"'))) for name in tables}
        left = ("candidate.log", self.database.name)
        for file in sorted(self.folder.rglob("*")):
            if file.is_file() and not file.name.startswith(left) and file.suffix != ".log":
                found[str(file.relative_to(self.folder))] = sorted(file.read_text().splitlines())
        return found


@dataclass
class OurService(Handler):
    """A service of ours as it runs."""

    service: Service | None = field(default=None)

    @classmethod
    def named(cls, name: str, nats_url: str, folder: Path) -> OurService:
        """Return the candidate of a service by its name, such as "risk"."""
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        settings = {
            "GRPC_PORT": str(port),
            "METRICS_PORT": "0",
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/subscriber.db",
            "NATS_URL": nats_url,
            "OUTBOX_FOLDER": str(folder / "outbox"),
        }
        environment = {f"{name.upper()}_{key}": value for key, value in settings.items()}
        service = Service(name, port, environment, folder / "candidate.log")
        return cls(name, nats_url, folder, service=service)

    def start(self, kill_after: int = 0) -> None:
        assert self.service is not None
        self.service.start()

    def wait(self, seconds: float) -> None:
        """It is killed from outside alone."""

    def kill(self) -> None:
        assert self.service is not None
        if self.service.process is not None and self.service.process.poll() is None:
            self.service.kill()

    def heard(self) -> dict[str, list[int]]:
        rows = self._rows("SELECT loan_id, sequence FROM stream_places")
        return {loan_id: list(range(1, number + 1)) for loan_id, number in rows}
