"""Four eyes: what one person proposes counts when another says the same."""

from __future__ import annotations

from datetime import datetime

import msgspec

from shared.kernel.errors import Refused

SAID_BY = {"redirect": "changed_by", "return": "returned_by", "resolve": "resolved_by"}
"""In which field of its request who proposes is named."""


class ProposerIsTheSame(Refused):
    """The second pair of eyes is another person's."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What one person proposes that a second is to say too; a later one takes its place."""

    what: str
    value: str
    by: str
    at: datetime


def is_seconded(earlier: Proposal | None, what: str, value: str, by: str) -> bool:
    """
    Say whether somebody else proposed the same before.

    Raises:
        ProposerIsTheSame: the same person did.
    """
    if earlier is None or (earlier.what, earlier.value) != (what, value):
        return False
    if earlier.by == by:
        raise ProposerIsTheSame(
            f"{by} proposed it", field=SAID_BY[what], expected="another person", what=what
        )
    return True
