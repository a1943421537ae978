"""A full disk for one process alone, without being root: no file of it may grow beyond a size."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path
from typing import IO


def limit_files(pid: int, octets: int | None) -> None:
    """Let a process write no file beyond a size, from now on; None for any size again."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    limit = most if octets is None else octets
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, most))


class Pipes:
    """Logs written by another process, which no limit hits; each ends with who writes to it."""

    def __init__(self) -> None:
        self.writers: list[subprocess.Popen[bytes]] = []

    def open(self, file: Path) -> IO[bytes]:
        """Return what a process is given as its output; close it once the process has it."""
        self.writers = [one for one in self.writers if one.poll() is None]
        with file.open("ab") as sink:
            writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=sink)
        self.writers.append(writer)
        assert writer.stdin is not None
        return writer.stdin

    def close(self) -> None:
        """Wait for what is on its way; nobody may hold the other ends any more."""
        for writer in self.writers:
            writer.wait()
        self.writers = []
