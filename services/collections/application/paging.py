"""Lists in pages, so that no borrower's history is too long to be answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from lending.common.v1 import page_pb2

from shared.runtime.listing import Place, place_of, query_id, token_of
from shared.runtime.requests import a_number

SIZE_DEFAULT, SIZE_MOST, SIZE_ASKED_MOST = 100, 1000, 2**31 - 1
NO_CLOCK = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands where the ledger's tokens say at which clock a list was first read."""

Row = TypeVar("Row")
Key = tuple[str | int, str]
"""By what a row is sorted, and its id."""


class Asked(NamedTuple):
    """Which part of a list is wanted: how many rows, behind which one, of which query."""

    size: int
    place: Key | None
    query: str

    def token(self, key: Key) -> str:
        """Return the token of the page behind a row."""
        return token_of(Place(self.query, NO_CLOCK, "", *key))


def asked(page: page_pb2.Page, *query: object) -> Asked:
    """
    Read which page of a query is wanted.

    Raises:
        NumberOutOfRange: the size is below zero.
        PageTokenInvalid: the token is made up, or of another query.
    """
    size = a_number(page.size, "page.size", 0, SIZE_ASKED_MOST) or SIZE_DEFAULT
    known = query_id(*query)
    place = place_of(page.token, known) if page.token else None
    behind = (place.key, place.last_id) if place else None
    return Asked(min(size, SIZE_MOST), behind, known)


def page_of(
    rows: Sequence[Row], wanted: Asked, key: Callable[[Row], Key], *, descending: bool = False
) -> tuple[list[Row], str]:
    """
    Return one page of rows, and the token of the next; empty at the end.

    Args:
        rows: All of them, in any order.
        wanted: Which page.
        key: By what they are sorted; never the same for two rows.
        descending: From the highest down; equal ones by rising id all the same.
    """
    found = sorted(rows, key=lambda row: key(row)[1])
    found.sort(key=lambda row: key(row)[0], reverse=descending)
    if wanted.place is not None:
        place = wanted.place
        found = [row for row in found if _is_behind(key(row), place, descending=descending)]
    shown = found[: wanted.size]
    return shown, wanted.token(key(shown[-1])) if len(found) > len(shown) else ""


def _is_behind(key: Key, place: Key, *, descending: bool) -> bool:
    if key[0] == place[0]:
        return key[1] > place[1]
    higher = (key[0], "") > (place[0], "")
    return higher is not descending
