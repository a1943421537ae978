"""Carries relief on in a process of its own, to be killed: `python -m … FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.services.collections.house import a_house


async def main(folder: Path) -> None:
    """Carry on with what runs."""
    async with a_house(folder) as house:
        print("goes on", flush=True)
        await house.relief.carry_on()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
