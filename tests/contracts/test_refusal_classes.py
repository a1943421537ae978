"""The client knows every reason that a service can answer with."""

from __future__ import annotations

from lending.refusals import BY_REASON

from deploy.refusal_classes import KINDS, refusals


def test_the_client_has_a_class_for_every_reason() -> None:
    """Of the same kind, with the same advice whether to retry."""
    for reason, own in refusals().items():
        theirs = BY_REASON[reason]
        assert theirs.retry == own.retry
        assert next(kind for kind in own.__mro__ if kind in KINDS) in theirs.__mro__


def test_reasons_are_told_apart_by_their_class() -> None:
    """No two services use one reason for different things."""
    names = [kind.__name__ for kind in refusals().values()]
    assert len(names) > 80
    assert len(set(names)) == len(names)
