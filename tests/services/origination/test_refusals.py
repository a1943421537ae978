"""Every refusal that a caller gets says which field it is about, and what would be taken."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import services.origination
from deploy.refusal_classes import refusals

ROOM = Path(services.origination.__file__).parent
NOT_FOR_CALLERS = {
    "PayerUnavailable",  # between the service and the bank: it is asked again
    "PayerRefuses",  # the same: kept as `stopped` of the payout
}


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Give each refusal that is raised here, with where."""
    names = {kind.__name__ for kind in refusals().values()}
    for path in sorted(ROOM.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func)
                local = name in {"refusal", "refusal(status, step)"}
                if local or (name in names and name not in NOT_FOR_CALLERS):
                    yield f"{path.relative_to(ROOM)}:{node.lineno} {name}", node.exc


def test_every_refusal_says_what_would_do() -> None:
    """Somebody who is refused is not left to guess."""
    found = list(raised())

    assert len(found) > 70
    assert [
        where
        for where, call in found
        if not {"field", "expected"} <= {word.arg for word in call.keywords}
    ] == []
