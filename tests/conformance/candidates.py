"""Who is held against the kit: a handler on our SDK, a service of ours, any program at all."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from tests.conformance.disk import Pipes, limit_files
from tests.system.processes import ROOT, Service, free_port

OURS = (
    *("stream_read", "stream_places", "stream_parked", "stream_checkpoints"),
    *("effects", "outbox"),
)
"""Tables that say how it was delivered, not what came of it; the outbox is a queue."""


class Candidate(Protocol):
    """A subscriber as a process that can be killed."""

    def start(self, kill_after: int = 0) -> None:
        """Start it; with `kill_after`, let it die in the middle of its n-th event."""

    def kill(self) -> None:
        """kill -9, unless it is dead already."""

    def wait(self, seconds: float) -> None:
        """Wait until it is dead, at most so long; return at once where it never dies by itself."""

    def alive(self) -> bool:
        """Say whether it runs."""

    def limit_files(self, octets: int | None) -> None:
        """Let it write no file beyond a size, as on a full disk; None for any size again."""

    def heard(self) -> dict[str, list[int]]:
        """Return the numbers of the events that it took in, by loan, in its order."""

    def faults(self) -> set[tuple[str, str]]:
        """Return the faults that it noticed: name and event id."""

    def outcome(self) -> dict[str, list[str]]:
        """Return everything that came of the events: lines by table or file, sorted."""

    def in_doubt(self) -> set[str]:
        """Return the names of effects that a kill cut short, where it says that nobody knows."""


@dataclass
class Program:
    """
    Any program: it reads NATS_URL, and keeps in FOLDER what it did.

    `effects.jsonl` has a line `{"loan": …, "sequence": …, "daysPastDue": …}` per event taken in,
    `faults.jsonl` a line `{"fault": …, "id": "loan/number"}` per fault noticed; a later line with
    the fault HEALED takes it back. It reads LEDGER_VERIFIER_KEYS for the checkpoints; if it does
    not look at them, it says so by the fault NOT_CHECKED with the id `checkpoint`. The number of a
    fault of a checkpoint is its size.
    """

    command: str
    nats_url: str
    folder: Path
    key: str = ""
    process: subprocess.Popen[bytes] | None = None
    pipes: Pipes = field(default_factory=Pipes)
    taken: dict[str, list[int]] = field(default_factory=dict)
    reached: int = 0

    def start(self, kill_after: int = 0) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "NATS_URL": self.nats_url,
            "FOLDER": str(self.folder),
            "KILL_AFTER": str(kill_after),
            "LEDGER_VERIFIER_KEYS": self.key,
        }
        with self.pipes.open(self.folder / "candidate.log") as sink:
            self.process = subprocess.Popen(
                shlex.split(self.command), cwd=ROOT, env=environment, stdout=sink, stderr=sink
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.pipes.close()

    def wait(self, seconds: float) -> None:
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def limit_files(self, octets: int | None) -> None:
        if self.process is not None and self.alive():
            limit_files(self.process.pid, octets)

    def _lines(self, name: str) -> list[dict[str, Any]]:
        file = self.folder / name
        text = file.read_text("utf-8") if file.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1] if line]

    def heard(self) -> dict[str, list[int]]:
        for loan_id, number in self._fresh():
            self.taken.setdefault(loan_id, []).append(number)
        return self.taken

    def _fresh(self) -> Iterator[tuple[str, int]]:
        """Yield what was taken in since one looked last."""
        file = self.folder / "effects.jsonl"
        with suppress(FileNotFoundError), file.open("rb") as lines:
            lines.seek(self.reached)
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                self.reached += len(line)
                if told := line.strip():
                    row = json.loads(told)
                    yield row["loan"], row["sequence"]

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

    def in_doubt(self) -> set[str]:
        return set()


@dataclass
class Handler(Program):
    """A Python handler MODULE:MAKE on our SDK, in tests.conformance.host."""

    @classmethod
    def of(cls, handler: str, nats_url: str, folder: Path, key: str) -> Handler:
        """Return the candidate of a handler."""
        command = shlex.join([sys.executable, "-m", "tests.conformance.host", handler])
        return cls(command, nats_url, folder, key)

    @property
    def database(self) -> Path:
        """Where it keeps what it knows."""
        return self.folder / "subscriber.db"

    def _rows(self, query: str, *given: int) -> list[tuple[Any, ...]]:
        if not self.database.exists():
            return []
        with closing(sqlite3.connect(self.database, timeout=10)) as connection:
            try:
                return connection.execute(query, given).fetchall()
            except sqlite3.OperationalError:
                return []

    def _fresh(self) -> Iterator[tuple[str, int]]:
        query = "SELECT number, loan_id, sequence FROM effects WHERE number > ? ORDER BY number"
        for at, loan_id, number in self._rows(query, self.reached):
            self.reached = at
            yield loan_id, number

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
class Piped(Service):
    """A service whose log another process writes."""

    pipes: Pipes = field(default_factory=Pipes)

    def sink(self) -> IO[bytes]:
        return self.pipes.open(self.log)


@dataclass
class OurService(Handler):
    """A service of ours as it runs."""

    service: Piped | None = None

    @classmethod
    def named(cls, name: str, nats_url: str, folder: Path, key: str) -> OurService:
        """Return the candidate of a service by its name, such as "risk"."""
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        settings = {
            "GRPC_PORT": str(port),
            "METRICS_PORT": "0",
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/subscriber.db",
            "NATS_URL": nats_url,
            "OUTBOX_FOLDER": str(folder / "outbox"),
            "LEDGER_VERIFIER_KEYS": key,
        }
        environment = {f"{name.upper()}_{key}": value for key, value in settings.items()}
        service = Piped(name, port, environment, folder / "candidate.log")
        return cls(name, nats_url, folder, key, service=service)

    def start(self, kill_after: int = 0) -> None:
        assert self.service is not None
        self.service.start()
        self.process = self.service.process

    def wait(self, seconds: float) -> None:
        """It is killed from outside alone."""

    def heard(self) -> dict[str, list[int]]:
        rows = self._rows("SELECT loan_id, sequence FROM stream_places")
        return {loan_id: list(range(1, number + 1)) for loan_id, number in rows}

    def in_doubt(self) -> set[str]:
        """A message is sent once or never: killed while sending, a task leaves it to a person."""
        query = (
            "SELECT m.id FROM records m JOIN records t ON t.id = m.id || '.check'"
            " WHERE m.kind = 'Message' AND m.state = 'UNCERTAIN' AND t.kind = 'Task'"
        )
        return {name for (name,) in self._rows(query)}
