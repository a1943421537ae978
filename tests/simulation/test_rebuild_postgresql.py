"""The read models and their rebuild, on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from tests.services.ledger.test_projecting import shorter_plans
from tests.services.ledger.test_rebuild import switched_while_posting


async def test_switched_while_posts_go_on_on_postgresql(new_database, tmp_path: Path) -> None:
    """As on SQLite: no row differs, and the new tables go on from where they were."""
    url = new_database("rebuild")

    first, second, posted, same = await switched_while_posting(tmp_path, (url, url))

    assert first.switched and second.switched
    assert [v.different for v in (*first.verdicts, *second.verdicts)] == [[]] * 6
    assert posted > 10
    assert same


async def test_a_shorter_plan_leaves_no_old_instalments_on_postgresql(
    new_database, tmp_path: Path
) -> None:
    """As on SQLite: no row differs from what the log says."""
    assert await shorter_plans(tmp_path, new_database("plans")) == [[]] * 5
