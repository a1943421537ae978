"""An answer in parts, kept in a file of its own and hashed until it may be told."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any, Self

from google.protobuf.message import Message

MEMORY_BYTES_MAX = 1 << 20
"""Answers up to this size need no file."""

LENGTH = 4


@dataclass(slots=True)
class Spool:
    """Parts one after another, each behind its length; nobody else reads the file."""

    file: SpooledTemporaryFile[bytes] = field(
        default_factory=partial(SpooledTemporaryFile, max_size=MEMORY_BYTES_MAX)
    )
    hashed: Any = field(default_factory=hashlib.sha256)
    kind: type[Message] = Message

    def __enter__(self) -> Self:
        """Return itself, empty."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Let the file go."""
        self.file.close()

    def put(self, part: Message) -> None:
        """Keep a part; all are of one kind."""
        self.kind = type(part)
        data = _framed(part)
        self.hashed.update(data)
        self.file.write(data)

    @property
    def sha256(self) -> str:
        """Return the hash of all parts, each behind its length."""
        return str(self.hashed.hexdigest())

    def parts(self) -> Iterator[Message]:
        """Yield the parts again."""
        self.file.seek(0)
        while head := self.file.read(LENGTH):
            yield self.kind.FromString(self.file.read(int.from_bytes(head)))


def _framed(part: Message) -> bytes:
    data = part.SerializeToString(deterministic=True)
    return len(data).to_bytes(LENGTH) + data


async def sha256_of(parts: AsyncIterator[Any]) -> str:
    """Return the hash that a spool of these parts would have; progress is no part."""
    hashed = hashlib.sha256()
    async for part in parts:
        if not part.HasField("progress"):
            hashed.update(_framed(part))
    return hashed.hexdigest()
