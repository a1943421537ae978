"""An evidence pack's bytes: a zip whose every byte follows from its files, and what signs them."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

MANIFEST, BLOCKS = "MANIFEST.txt", "BLOCKS.txt"
LOAN_TITLE, PERIOD_TITLE = "duebook-evidence/1", "duebook-period/1"
PACK_BYTES_MAX = 2 * 1024 * 1024 * 1024
BLOCK_BYTES = 1024
"""So much of a file has a hash of its own, by which a changed byte is found."""

PART_BYTES = 1024 * BLOCK_BYTES
"""So much of a file on disk is in memory at a time."""

Content = bytes | Path
"""A file of a pack that is made: its bytes, or where they are."""

HEAD_BYTES = 30
"""Of a file's header in a zip, before its name."""

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
"""No folders, nothing that a terminal or a manifest reads otherwise."""


class PackInvalid(Exception):
    """The pack is not what was signed; the message says where it first differs."""


def packed(files: Mapping[str, Content]) -> bytes:
    """Return the one zip that these files make: sorted, stored, without a date."""
    buffer = io.BytesIO()
    write_packed(buffer, files)
    return buffer.getvalue()


def write_packed(target: BinaryIO, files: Mapping[str, Content]) -> None:
    """Write the one zip that these files make, a part at a time."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            info.file_size = size_of(files[name])
            with archive.open(info, "w") as file:
                for part in parts(files[name]):
                    file.write(part)


def closed(
    files: Mapping[str, Content], title: str, checkpoint_text: str, sign: Callable[[str], str]
) -> bytes:
    """Return the pack of some files: their blocks hashed, their hashes signed."""
    buffer = io.BytesIO()
    write_closed(buffer, files, title, checkpoint_text, sign)
    return buffer.getvalue()


def write_closed(
    target: BinaryIO,
    files: Mapping[str, Content],
    title: str,
    checkpoint_text: str,
    sign: Callable[[str], str],
) -> None:
    """Write the pack of some files; those on disk are never in memory as a whole."""
    whole = {**files, BLOCKS: blocks_of(files)}
    text = manifest_of(whole, checkpoint_text, title)
    write_packed(target, {**whole, MANIFEST: sign(text).encode()})


def size_of(content: Content) -> int:
    """Return how many bytes a file has."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def parts(content: Content) -> Iterator[bytes]:
    """Return a file's bytes in order, in parts of whole blocks; the last may be shorter."""
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield part


def unpacked(pack: bytes) -> dict[str, bytes]:
    """
    Return the files of a pack, whatever they say.

    Raises:
        PackInvalid: not a zip, or none of ours.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(pack)) as archive:
            found = archive.infolist()
            if sum(info.file_size for info in found) > min(len(pack), PACK_BYTES_MAX):
                raise PackInvalid("its files are larger than itself, or than any pack")
            for info in found:
                if not NAME.fullmatch(info.filename):
                    raise PackInvalid(f"{info.filename!r} is no name of a file of a pack")
            files = {info.filename: _bytes(pack, info) for info in found}
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError) as failure:
        raise PackInvalid(f"it is not a zip: {failure}") from None
    return files


def _bytes(pack: bytes, info: zipfile.ZipInfo) -> bytes:
    """Return a stored file's bytes without its checksum, so that a change can be looked at."""
    start = info.header_offset + HEAD_BYTES + len(info.filename.encode())
    return pack[start : start + info.file_size]


def first_difference(pack: bytes, files: Mapping[str, bytes]) -> int | None:
    """Return the offset of the first byte that these files' pack would have otherwise."""
    return first_other(packed(files), pack)


def first_other(wanted: bytes, found: bytes) -> int | None:
    """Return where two texts first differ; None when they are the same."""
    if wanted == found:
        return None
    low, high = 0, min(len(wanted), len(found))
    while low < high:
        middle = (low + high + 1) // 2
        if wanted[low:middle] == found[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def manifest_of(files: Mapping[str, Content], checkpoint_text: str, title: str = LOAN_TITLE) -> str:
    """Return the text that is signed: the checkpoint, then the hash of every file."""
    lines = [f"{_digest(files[name])}  {name}" for name in sorted(files)]
    return "\n".join([title, checkpoint_text.replace("\n", " ").strip(), *lines]) + "\n"


def _digest(content: Content) -> str:
    found = hashlib.sha256()
    for part in parts(content):
        found.update(part)
    return found.hexdigest()


def blocks_of(files: Mapping[str, Content]) -> bytes:
    """Return a hash of every block of every file: a line per file, then one per block."""
    lines = []
    for name in sorted({*files} - {BLOCKS, MANIFEST}):
        lines.append(f"{size_of(files[name])} {name}")
        lines += [block_hash(block) for part in parts(files[name]) for block in blocks(part)]
    return ("\n".join(lines) + "\n").encode()


def blocks(data: bytes) -> Iterator[bytes]:
    """Cut a file into blocks; the last may be shorter."""
    return (data[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES))


def block_hash(block: bytes) -> str:
    """Return the hash of a block, 32 hex digits."""
    return hashlib.sha256(block).hexdigest()[:32]
