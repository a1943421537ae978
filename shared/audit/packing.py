"""An evidence pack's bytes: a zip whose every byte follows from its files, and what signs them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping

MANIFEST = "MANIFEST.txt"
TITLE = "duebook-evidence/1"
UNPACKED_BYTES_MAX = 64 * 1024 * 1024


class PackInvalid(Exception):
    """The pack is not what was signed; the message says where it first differs."""


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return the one zip that these files make: sorted, stored, without a date."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()


def unpacked(pack: bytes) -> dict[str, bytes]:
    """
    Return the files of a pack, whatever they say.

    Raises:
        PackInvalid: not the zip that its files make; the first byte that differs is named.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(pack)) as archive:
            if sum(info.file_size for info in archive.infolist()) > UNPACKED_BYTES_MAX:
                raise PackInvalid("it is larger than any pack")
            files = {info.filename: _bytes(pack, info) for info in archive.infolist()}
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError) as failure:
        raise PackInvalid(f"it is not a zip: {failure}") from None
    return files


def _bytes(pack: bytes, info: zipfile.ZipInfo) -> bytes:
    """Return a stored file's bytes without its checksum, so that a change can be looked at."""
    start = info.header_offset + 30 + len(info.filename.encode())
    return pack[start : start + info.file_size]


def first_difference(pack: bytes, files: Mapping[str, bytes]) -> int | None:
    """Return the offset of the first byte that these files' pack would have otherwise."""
    wanted = packed(files)
    if wanted == pack:
        return None
    pairs = zip(wanted, pack, strict=False)
    differing = (at for at, (one, other) in enumerate(pairs) if one != other)
    return next(differing, min(len(wanted), len(pack)))


def manifest_of(files: Mapping[str, bytes], checkpoint_text: str) -> str:
    """Return the text that is signed: the checkpoint, then the hash of every file."""
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in sorted(files)]
    return "\n".join([TITLE, checkpoint_text.replace("\n", " ").strip(), *lines]) + "\n"
