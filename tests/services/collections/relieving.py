"""Carries relief on in a process of its own, to be killed: `python -m … FOLDER [URL]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.services.collections.house import a_house


def done() -> bool:
    """Say that a part is done, and go on."""
    print("a part", flush=True)
    return False


async def main(folder: Path, *url: str) -> None:
    """Carry on with what runs, on a database of its own if none is named."""
    async with a_house(folder, **({"database_url": url[0]} if url else {})) as house:
        await house.relief.carry_on("flood-1", done)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
