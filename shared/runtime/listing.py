"""Lists by the same rules everywhere: filters (AIP-160), order (AIP-132), page tokens (AIP-158)."""

from __future__ import annotations

import base64
import hashlib
import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from shared.kernel.errors import InvalidArgument

FILTER_CHARACTERS_MAX = 1000
COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONDITION = re.compile(r'\s*(\w+)\s*(!=|<=|>=|=|<|>)\s*("(?:[^"\\]|\\.)*"|[^\s"()]+)\s*')
_AND = re.compile(r"AND\s")


class FilterInvalid(InvalidArgument):
    """The filter is not `field operator value`, joined by AND, over fields of the list."""


class OrderInvalid(InvalidArgument):
    """The order is not a field of the list, with or without `desc`."""


class PageTokenInvalid(InvalidArgument):
    """The token is not one that this list gave for the same filter and order."""


class Condition(NamedTuple):
    """One comparison of a filter."""

    field: str
    operator: str
    value: str | int

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Say whether a row meets it."""
        return COMPARED[self.operator](row[self.field], self.value)


class Order(NamedTuple):
    """By which field, and whether from the highest down; equal ones by id."""

    field: str
    descending: bool = False


class Place(msgspec.Struct, frozen=True):
    """
    What a page token holds: the query, the last row shown, and the two clocks of the first page.

    `key` is the last row's value of the order's field, `last_id` its id.
    """

    query: str
    known_at: datetime
    effective_on: str
    key: str | int
    last_id: str


def parse_filter(text: str, fields: Mapping[str, type]) -> tuple[Condition, ...]:
    """
    Read a filter such as `status = "ACTIVE" AND days_past_due >= 30`; an empty one lets all pass.

    Raises:
        FilterInvalid: with what was expected at the place in question.
    """
    if len(text) > FILTER_CHARACTERS_MAX:
        raise FilterInvalid("the filter is too long", field="filter", expected="1,000 characters")
    found, at = [], 0
    while text[at:].strip():
        if found:
            joint = _AND.match(text, at)
            if joint is None:
                raise _unreadable(text, at, "AND")
            at = joint.end()
        match = _CONDITION.match(text, at)
        if match is None:
            raise _unreadable(text, at, "field operator value")
        found.append(_condition(match, fields))
        at = match.end()
    return tuple(found)


def _unreadable(text: str, at: int, expected: str) -> FilterInvalid:
    return FilterInvalid(f"cannot read {text[at : at + 40]!r}", field="filter", expected=expected)


def _condition(match: re.Match[str], fields: Mapping[str, type]) -> Condition:
    name, compared, raw = match.groups()
    if name not in fields:
        raise FilterInvalid(
            f"{name[:40]!r} is not a field", field="filter", expected=", ".join(fields)
        )
    text = re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw.startswith('"') else raw
    if fields[name] is str:
        return Condition(name, compared, text)
    if not re.fullmatch(r"-?\d{1,18}", text):
        raise FilterInvalid(
            f"{name} is compared with {text[:40]!r}", field="filter", expected="a whole number"
        )
    return Condition(name, compared, int(text))


def parse_order(text: str, fields: tuple[str, ...]) -> Order:
    """
    Read an order such as `days_past_due desc`; by the first field, the id, when empty.

    Raises:
        OrderInvalid: no such field, or more than one.
    """
    words = text.split() or [fields[0]]
    down = words[1:] == ["desc"]
    if (
        words[0] not in fields
        or words[1:] not in ([], ["asc"], ["desc"])
        or (down and words[0] == fields[0])
    ):
        raise OrderInvalid(
            f"{text[:40]!r} is not an order",
            field="order_by",
            expected=f"{', '.join(fields)}; all but the first also with desc",
        )
    return Order(words[0], down)


def query_id(*parts: object) -> str:
    """Return what tells one query from another."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def token_of(place: Place) -> str:
    """Return a place in a list as an opaque token."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of(token: str, query: str) -> Place:
    """
    Read a token.

    Raises:
        PageTokenInvalid: made up, or of another query.
    """
    try:
        padded = token + "=" * (-len(token) % 4)
        place = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=Place)
    except (ValueError, msgspec.MsgspecError):
        raise PageTokenInvalid("the token cannot be read", field="page.token") from None
    if place.query != query:
        raise PageTokenInvalid(
            "the token is of another query",
            field="page.token",
            expected="the filter and order of the first page",
        )
    return place
