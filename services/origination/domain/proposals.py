"""Four eyes: what one person proposes counts when another says the same."""

from __future__ import annotations

from services.origination.domain.application import Application, Proposal, Stamp
from shared.kernel.errors import Refused


class ProposerIsTheSame(Refused):
    """The second pair of eyes is another person's."""


def is_seconded(now: Application, what: str, value: str, by: str) -> bool:
    """
    Say whether somebody else proposed the same before.

    Raises:
        ProposerIsTheSame: the same person did.
    """
    earlier = now.proposal
    if earlier is None or (earlier.what, earlier.value) != (what, value):
        return False
    if earlier.by == by:
        raise ProposerIsTheSame(f"{by} proposed it", expected="another person", what=what)
    return True


def proposal(what: str, value: str, stamp: Stamp) -> Proposal:
    """Return what a person proposes; a later proposal takes its place."""
    return Proposal(what=what, value=value, by=stamp.by, at=stamp.at)
