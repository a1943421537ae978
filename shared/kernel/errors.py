"""One error tree for every service: what stands in the way, and whether trying again can help."""

from __future__ import annotations

import re


class LendingError(Exception):
    """A refusal that a caller can read: a stable reason, the facts, and whether to retry."""

    reason: str = "LENDING_ERROR"
    retry: bool = False

    def __init_subclass__(cls) -> None:
        """Derive the stable reason from the class name: LoanNotFound -> LOAN_NOT_FOUND."""
        if "reason" not in cls.__dict__:
            cls.reason = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).upper()

    def __init__(
        self, message: str, *, field: str = "", expected: str = "", **facts: object
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.expected = expected
        self.facts = {name: str(value) for name, value in facts.items()}


class NotFound(LendingError):
    """The thing named does not exist."""


class InvalidArgument(LendingError):
    """The request cannot be right, whatever the state: mend it before sending it again."""


class Refused(LendingError):
    """The request is well formed, but the present state does not allow it."""


class NotAuthenticated(LendingError):
    """Nobody whom we know asks: no identity that can be checked came with the call."""


class NotPermitted(LendingError):
    """The one who asks is known, and may not do this."""


class Conflict(LendingError):
    """Somebody else changed the same thing first: read again, then retry."""

    retry = True


class Unavailable(LendingError):
    """Something we depend on does not answer now: retry with back-off, same request id."""

    retry = True


class Exhausted(LendingError):
    """More work is waiting than we accept: retry after the stated time, same request id."""

    retry = True
