"""Every case of the kit is failed by name: README.md says by which naive subscriber."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.conformance import kit
from tests.conformance.__main__ import maker
from tests.conformance.naive import MISTAKES
from tests.system.processes import ROOT, free_port

HANDLERS = "tests.conformance.handlers"
AT_ONCE, FAILS, EITHER = 3, "fails", "may"


def table() -> dict[str, dict[str, str]]:
    """Return what README.md says: by subscriber the cases, each with a word or none."""
    text = (ROOT / "tests" / "conformance" / "README.md").read_text("utf-8")
    text = text[text.index("| case |") :]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    names = [name.strip("`") for name in head[1:]]
    return {name: {row[0]: row[k] for row in rows} for k, name in enumerate(names, start=1)}


async def failed(name: str, folder: Path, turns: asyncio.Semaphore) -> tuple[set[str], set[str]]:
    """Hold a naive subscriber against the kit; return all cases, and those that it fails."""
    command = f"{sys.executable} -m tests.conformance.naive {name}" if name in MISTAKES else ""
    handler = "" if command else f"{HANDLERS}:{name}"
    async with turns:
        findings = await kit.run(folder / name, maker(handler, command, ""), free_port)
    return {one.case for one in findings}, {one.case for one in findings if one.wrong}


async def test_who_fails_what(tmp_path: Path) -> None:
    """As the table says: who fails a case, who may as the timing falls, and who never does."""
    said, turns = table(), asyncio.Semaphore(AT_ONCE)
    assert set(MISTAKES) < set(said)

    found = await asyncio.gather(*(failed(name, tmp_path, turns) for name in said))

    for (name, cases), (held, wrong) in zip(said.items(), found, strict=True):
        surely = {case for case, word in cases.items() if word == FAILS}
        perhaps = {case for case, word in cases.items() if word == EITHER}
        assert held == set(cases), name
        assert surely <= wrong <= surely | perhaps, name


def test_every_case_is_failed_by_somebody() -> None:
    """No case of the table lets all of them pass."""
    said = table()
    cases = {case for told in said.values() for case in told}
    assert cases == {c for told in said.values() for c, word in told.items() if word == FAILS}
