"""The kit holds: our services pass, a careless handler fails by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import kit
from tests.conformance.__main__ import maker
from tests.system.processes import free_port


async def failed(folder: Path, handler: str, service: str = "", command: str = "") -> dict:
    findings = await kit.run(folder, maker(handler, command, service), free_port)
    assert len(findings) == 18
    return {one.case: one.wrong for one in findings if one.wrong}


@pytest.mark.parametrize("service", ["risk", "collections"])
async def test_our_services_pass(tmp_path: Path, service: str) -> None:
    """Each event has its effect once and in order; each fault is noticed; nothing else is."""
    assert await failed(tmp_path, "", service) == {}


async def test_a_naive_handler_fails_by_name(tmp_path: Path) -> None:
    """The kit names what a careless handler gets wrong, and only that."""
    wrong = await failed(tmp_path, "tests.conformance.handlers:naive")

    assert set(wrong) == {"killed in the middle of its work"}
