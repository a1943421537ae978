"""Deleting what was kept for long enough: records by kind, and what was answered about somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import delete, func, update

from shared.runtime.record_tables import RECORDS, REQUESTS
from shared.runtime.records import Work
from shared.runtime.vault import KEYS, MARK

AT_ONCE = 500


async def delete_records(work: Work, records: Mapping[type[msgspec.Struct], Sequence[str]]) -> None:
    """Delete records by kind and id."""
    if work.connection.dialect.name == "sqlite":
        # Freed bytes are overwritten, not left in the file for who looks there.
        await work.connection.exec_driver_sql("PRAGMA secure_delete = ON")
    for kind, ids in records.items():
        for start in range(0, len(ids), AT_ONCE):
            some = RECORDS.c.id.in_(ids[start : start + AT_ONCE])
            await work.connection.execute(
                delete(RECORDS).where(RECORDS.c.kind == kind.__name__, some)
            )


async def forget_answers(work: Work, who: str) -> None:
    """
    Empty every kept answer about a person, and drop the key they were sealed with.

    That a request was answered stays known: again, it is refused with ANSWER_SHREDDED. Unlike one
    who was shredded, the person may be known again: with a new key.
    """
    mark = f"{MARK}{who}/".encode()
    here = func.substr(REQUESTS.c.answer, 1, len(mark)) == mark
    await work.connection.execute(update(REQUESTS).where(here).values(answer=mark))
    unshredded = (KEYS.c.subject == who) & (KEYS.c.shredded_at == "")
    await work.connection.execute(delete(KEYS).where(unshredded))
