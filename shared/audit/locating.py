"""Where an evidence pack was changed: the first byte that is not as it was signed."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import suppress

from shared.audit.packing import (
    BLOCK_BYTES,
    BLOCKS,
    HEAD_BYTES,
    LOAN_TITLE,
    MANIFEST,
    PERIOD_TITLE,
    PackInvalid,
    block_hash,
    blocks,
    blocks_of,
    first_difference,
    first_other,
    manifest_of,
    unpacked,
)

Files = dict[str, bytes]


def damage(pack: bytes) -> str | None:
    """
    Say where a pack is not as it was closed; None when every byte follows from its files.

    It does not say whether the right key signed it. One changed byte is named exactly, with the
    byte that was there; of more, the first place that can be told.
    """
    found = [files for files in _readings(pack) if MANIFEST in files]
    if not found:
        return "it is not a zip with a manifest"
    files = min(found, key=lambda one: len(_changed(one)))
    changed = _changed(files)
    if not changed:
        offset = first_difference(pack, files)
        if offset is None:
            return None
        inside = _in_manifest(files) or _in_signature(pack, files)
        return inside or f"byte {offset} is not as the files make it"
    if blocks_of(files) == files.get(BLOCKS) or len(changed) > 1:
        said = _in_manifest(files)
        if said is not None:
            return said
    return _in_file(changed[0], files)


def _readings(pack: bytes) -> Iterator[Files]:
    """Read a zip by its directory, and, should that be damaged, by the headers of its files."""
    with suppress(PackInvalid):
        yield unpacked(pack)
    files: Files = {}
    at = 0
    while pack[at : at + 4] == b"PK\x03\x04":
        size = int.from_bytes(pack[at + 18 : at + 22], "little")
        start = at + HEAD_BYTES + int.from_bytes(pack[at + 26 : at + 28], "little")
        files[pack[at + HEAD_BYTES : start].decode("utf-8", "replace")] = pack[start : start + size]
        at = start + size
    yield files


def _changed(files: Files) -> list[str]:
    """Return the files that are not as the manifest says, or not there."""
    lines = files[MANIFEST].decode("utf-8", "replace").split("\n")
    rows = (line.partition("  ") for line in lines[2:])
    stated = {name: digest for digest, _, name in rows if len(digest) == 64}
    names = sorted({*stated, *files} - {MANIFEST})
    return [
        name
        for name in names
        if name not in files or hashlib.sha256(files[name]).hexdigest() != stated.get(name)
    ]


def _in_manifest(files: Files) -> str | None:
    """Say where the manifest is not as the other files make it, if they make one."""
    rest = {name: data for name, data in files.items() if name != MANIFEST}
    text = files.get("checkpoint.txt", b"").decode("utf-8", "replace").partition("\n\n")[0]
    furthest = 0
    for title in (LOAN_TITLE, PERIOD_TITLE):
        wanted = manifest_of(rest, text, title).encode()
        at = first_other(wanted, files[MANIFEST][: len(wanted)])
        if at is None:
            return None
        furthest = max(furthest, at)
    return place(files, MANIFEST, furthest)


def _in_signature(pack: bytes, files: Files) -> str | None:
    """Find the one byte of the manifest whose other value has the checksum that the zip states."""
    data, head = files[MANIFEST], MANIFEST.encode()
    at = pack.find(head + data) - HEAD_BYTES
    stated = pack[at + 14 : at + 18]
    if at < 0 or pack.count(stated) < 2 or zlib.crc32(data).to_bytes(4, "little") == stated:
        return None
    for k in range(data.rindex(b"\n\n"), len(data)):
        for value in range(256):
            tried = data[:k] + bytes((value,)) + data[k + 1 :]
            if zlib.crc32(tried).to_bytes(4, "little") == stated:
                return f"{place(files, MANIFEST, k)}: 0x{data[k]:02x}, signed as 0x{value:02x}"
    return None


def _in_file(name: str, files: Files) -> str:
    if name not in files:
        return f"{name} is not there"
    if name == BLOCKS:
        at = first_other(blocks_of(files), files[BLOCKS])
        return place(files, BLOCKS, at or 0)
    hashes = _hashes_of(name, files)
    for number, (block, wanted) in enumerate(zip(blocks(files[name]), hashes, strict=False)):
        if block_hash(block) != wanted:
            return _in_block(name, number, block, wanted, files)
    return place(files, name, min(len(files[name]), len(hashes) * BLOCK_BYTES))


def _hashes_of(name: str, files: Files) -> list[str]:
    lines = files.get(BLOCKS, b"").decode("utf-8", "replace").split("\n")
    for at, line in enumerate(lines):
        size, _, named = line.partition(" ")
        if named == name and size.isdigit():
            return lines[at + 1 : at + 1 + -(-int(size) // BLOCK_BYTES)]
    return []


def _in_block(name: str, number: int, block: bytes, wanted: str, files: Files) -> str:
    """Find the one byte whose other value gives the signed hash; else name the block."""
    for at in range(len(block)):
        head, tail = hashlib.sha256(block[:at]), block[at + 1 :]
        for value in range(256):
            tried = head.copy()
            tried.update(bytes((value,)) + tail)
            if tried.hexdigest()[:32] == wanted:
                said = place(files, name, number * BLOCK_BYTES + at)
                return f"{said}: 0x{block[at]:02x}, signed as 0x{value:02x}"
    end = number * BLOCK_BYTES + len(block) - 1
    return f"{place(files, name, number * BLOCK_BYTES)} or one up to byte {end}"


def place(files: Files, name: str, at: int) -> str:
    """Name a byte of a file: its line, its number in the file and in the zip, from 0."""
    before = sorted(other for other in files if other < name)
    heads = sum(HEAD_BYTES + len(other.encode()) + len(files[other]) for other in before)
    offset = heads + HEAD_BYTES + len(name.encode()) + at
    line = files[name][:at].count(b"\n") + 1
    return f"{name} line {line}, byte {at} of the file, {offset} of the zip, is not as signed"
