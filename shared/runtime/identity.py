"""Who asks: known from the caller's certificate, and the same everywhere while a call is served."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from shared.kernel.errors import NotPermitted

UNKNOWN_ACTOR = "internal"
"""Recorded where nobody is known: the development profile, and the services' own work."""


class ActorIsNotCaller(NotPermitted):
    """A request names somebody else than its caller as the one who acts."""


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Who asks.

    `identity` is `service/<name>` or `person/<name>`; `via` the service that says so of a person,
    empty where the certificate says it; `vouches` are the methods for whose approvals it answers.
    """

    identity: str
    roles: tuple[str, ...]
    via: str = ""
    vouches: frozenset[str] = frozenset()


_CALLER: ContextVar[Caller | None] = ContextVar("duebook_caller", default=None)


def remember(caller: Caller) -> None:
    """Let `caller()` answer for the rest of this call."""
    _CALLER.set(caller)


def caller() -> Caller | None:
    """Return who asks; None where nobody is known."""
    return _CALLER.get()


def actor(stated: str = "", *, field: str = "actor", otherwise: str = UNKNOWN_ACTOR) -> str:
    """
    Return whom to record as the one who acts.

    Args:
        stated: Whom the request names, if anybody.
        field: Where it does.
        otherwise: Recorded where neither is known.
    Raises:
        ActorIsNotCaller: the request names somebody else than its caller.
    """
    known = _CALLER.get()
    if known is None:
        return stated or otherwise
    if stated and stated != known.identity:
        raise ActorIsNotCaller(
            f"{known.identity} cannot act as {stated[:70]}", field=field, expected=known.identity
        )
    return known.identity
