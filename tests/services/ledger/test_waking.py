"""The word that wakes a follower: at once after a pause, else together with those that follow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

from services.ledger.adapters.follower_process import WAKE_SECONDS, ChildProcess
from services.ledger.config import LedgerSettings


@dataclass
class Pipe:
    """Standard input of a process, and what was written to it."""

    words: list[bytes] = field(default_factory=list)

    @property
    def stdin(self) -> Pipe:
        return self

    transport = stdin

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, word: bytes) -> None:
        self.words.append(word)


async def test_commits_in_a_row_are_told_together() -> None:
    """The first wakes at once; those right after it wake once more, and none is forgotten."""
    pipe = Pipe()
    child = ChildProcess(LedgerSettings(), "relay", cast(asyncio.subprocess.Process, pipe))

    for _ in range(50):
        child.wake()
    first = list(pipe.words)
    await asyncio.sleep(3 * WAKE_SECONDS["relay"])
    child.wake()

    assert first == [b"w"]
    assert pipe.words == [b"w", b"w", b"w"]
