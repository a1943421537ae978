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
    empty where the certificate says it; `recorded` whether what it reads is recorded.
    """

    identity: str
    roles: tuple[str, ...]
    via: str = ""
    recorded: bool = False


_CALLER: ContextVar[Caller | None] = ContextVar("duebook_caller", default=None)
_SECOND_PERSON: ContextVar[bool] = ContextVar("duebook_second_person", default=False)


def remember(caller: Caller, *, second_person: bool = False) -> None:
    """Say who asks for the rest of this call, and whether a second person must have approved."""
    _CALLER.set(caller)
    if second_person:
        _SECOND_PERSON.set(True)


def needs_second_person() -> bool:
    """Return whether what is asked takes effect only when a second person approved it."""
    return _SECOND_PERSON.get()


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
