"""A pack is the same whether its files are in memory or on disk, and whether it is too."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random

from shared.audit.packing import (
    BLOCK_BYTES,
    BLOCKS,
    PART_BYTES,
    PERIOD_TITLE,
    closed,
    unpacked,
    write_closed,
)


def test_files_on_disk_make_the_same_pack(tmp_path: Path) -> None:
    """Empty, of whole parts, and a little more or less than one: the same bytes."""
    chance = Random(6)
    sizes = (0, 1, BLOCK_BYTES, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 5)
    files = {f"file-{size}.bin": chance.randbytes(size) for size in sizes}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    on_disk = {name: tmp_path / name for name in files}

    def sign(text: str) -> str:
        return f"{text}\nsigned\n"

    whole = closed(files, PERIOD_TITLE, "root", sign)
    with (tmp_path / "pack.zip").open("w+b") as target:
        write_closed(target, on_disk, PERIOD_TITLE, "root", sign)
    in_memory = io.BytesIO()
    write_closed(in_memory, on_disk, PERIOD_TITLE, "root", sign)

    assert (tmp_path / "pack.zip").read_bytes() == in_memory.getvalue() == whole
    assert {name: data for name, data in unpacked(whole).items() if name in files} == files
    assert unpacked(whole)[BLOCKS].count(b"\n") == sum(
        1 + -(-size // BLOCK_BYTES) for size in sizes
    )
