"""Who may call what: one TOML file, read again when it changes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import msgspec
import structlog

from shared.kernel.errors import NotAuthenticated, NotPermitted
from shared.runtime.identity import Caller

LOOK_AGAIN_SECONDS = 1.0
OURS = "/lending."
"""How our own methods begin: the roles say who may call them."""


class RolesNotValid(Exception):
    """The role file cannot be used; says why."""


class CallerUnknown(NotAuthenticated):
    """The certificate does not say who its holder is, or not in this trust domain."""


class CallerMayNot(NotPermitted):
    """None of the caller's roles may call this method."""


class PersonNotStatable(NotPermitted):
    """Only a gateway may say which person it calls for."""


class Role(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What holders of a role may.

    `may` and `vouches` are methods such as /lending.ledger.v1.LedgerService/GetLoan, or beginnings
    of them with * at the end. A holder who vouches answers for the approval of these methods
    itself: it has had two persons look. A gateway states the person it calls for. What holders of
    a `recorded` role read of the ledger is recorded in its log.
    """

    may: tuple[str, ...] = ()
    vouches: tuple[str, ...] = ()
    gateway: bool = False
    recorded: bool = False


class Roles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A role file.

    `open` are methods for everybody with a certificate, none of ours; `four_eyes` those that take
    effect only when a second person approved them; `callers` the roles of each identity.
    """

    trust_domain: str
    roles: dict[str, Role]
    callers: dict[str, tuple[str, ...]]
    open: tuple[str, ...] = ()
    four_eyes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would silently give nobody anything, or everybody everything."""
        patterns = [*self.open, *self.four_eyes]
        for role in self.roles.values():
            patterns += [*role.may, *role.vouches]
        for text in patterns:
            if not text.startswith("/") or text.count("/") != 2 or "*" in text[:-1]:
                raise ValueError(f"{text!r} is not /package.Service/Method, with * only at its end")
        for text in self.open:
            if text.startswith(OURS):
                raise ValueError(f"{text!r} is ours: it needs a role, it cannot be open")
        for identity, names in self.callers.items():
            if identity.partition("/")[0] not in ("service", "person"):
                raise ValueError(f"{identity!r} is neither service/<name> nor person/<name>")
            for name in names:
                if name not in self.roles:
                    raise ValueError(f"{identity} has role {name!r}, which is not in [roles]")

    def identity_of(self, spiffe_id: str) -> str:
        """
        Return the short identity of a certificate's URI.

        Raises:
            CallerUnknown: there is none of this trust domain.
        """
        prefix = f"spiffe://{self.trust_domain}/"
        identity = spiffe_id.removeprefix(prefix)
        kind, _, name = identity.partition("/")
        if not spiffe_id.startswith(prefix) or kind not in ("service", "person") or not name:
            raise CallerUnknown("the certificate names nobody here", expected=f"{prefix}person/…")
        return identity

    def caller(self, spiffe_id: str, person: str = "") -> Caller:
        """
        Return who asks.

        Args:
            spiffe_id: The URI of the certificate.
            person: Whom a gateway says it calls for; empty where nobody.
        Raises:
            CallerUnknown: the certificate names nobody here.
            PersonNotStatable: somebody who is no gateway says that it calls for a person.
        """
        identity, via = self.identity_of(spiffe_id), ""
        if person:
            if not any(self.roles[name].gateway for name in self.callers.get(identity, ())):
                raise PersonNotStatable(f"{identity} is no gateway", identity=identity)
            identity, via = f"person/{person}", identity
        names = self.callers.get(identity, ())
        return Caller(identity, names, via, any(self.roles[name].recorded for name in names))

    def may(self, names: tuple[str, ...], method: str) -> bool:
        """Return whether holders of these roles may call a method."""
        return any(matches(self.roles[name].may, method) for name in names)

    def needs_second_person(self, names: tuple[str, ...], method: str) -> bool:
        """Return whether a method needs four eyes, and no role of these answers for them."""
        vouched = any(matches(self.roles[name].vouches, method) for name in names)
        return matches(self.four_eyes, method) and not vouched

    def vouchers(self, method: str) -> list[str]:
        """Return the identities that answer for the approval of a method themselves, sorted."""
        return sorted(
            identity
            for identity, names in self.callers.items()
            if any(matches(self.roles[name].vouches, method) for name in names)
        )

    def who_may(self, method: str) -> tuple[str, ...]:
        """Return the roles that may call a method, sorted."""
        return tuple(sorted(name for name in self.roles if self.may((name,), method)))


def matches(patterns: tuple[str, ...], method: str) -> bool:
    """Return whether a method is among names and beginnings with *."""
    return any(
        method.startswith(text[:-1]) if text.endswith("*") else method == text for text in patterns
    )


def read_roles(file: Path) -> Roles:
    """
    Read a role file.

    Raises:
        RolesNotValid: says what is wrong.
    """
    try:
        return msgspec.toml.decode(file.read_bytes(), type=Roles)
    except (OSError, msgspec.MsgspecError, ValueError) as failure:
        raise RolesNotValid(f"{file}: {failure}") from None


@dataclass(slots=True)
class RoleBook:
    """The roles now: the file is looked at again every second; a broken one changes nothing."""

    file: Path
    roles: Roles = field(init=False)
    known: dict[tuple[str, str], Caller] = field(init=False, default_factory=dict)
    allowed: dict[tuple[tuple[str, ...], str], tuple[bool, bool]] = field(
        init=False, default_factory=dict
    )
    own: frozenset[str] = field(init=False, default=frozenset())
    holds: frozenset[str] = field(init=False, default=frozenset())
    told: Callable[[Roles], None] = field(init=False, default=lambda roles: None)
    stamp: int = field(init=False)
    next_look: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Read the file; one that cannot be used is raised, not passed over."""
        self.stamp = self.file.stat().st_mtime_ns
        self.roles = read_roles(self.file)

    def serve(self, own: Collection[str], holds: Collection[str]) -> None:
        """
        Say which methods this process serves, and which of them it can hold until approved.

        Raises:
            RolesNotValid: four eyes are asked for where nobody would look; also when read again.
        """
        self.own, self.holds = frozenset(own), frozenset(holds)
        self._require_held(self.roles)

    def _require_held(self, roles: Roles) -> None:
        packages = {method.rpartition("/")[0].rpartition(".")[0] for method in self.own}
        for text in roles.four_eyes:
            meant = [method for method in self.own if matches((text,), method)]
            passing = sorted(set(meant) - self.holds)
            if passing:
                raise RolesNotValid(f"{self.file}: four_eyes cannot hold {passing[0]}")
            if not meant and text.rpartition("/")[0].rpartition(".")[0] in packages:
                raise RolesNotValid(f"{self.file}: four_eyes has {text}: no such method")

    def is_open(self, method: str) -> bool:
        """Return whether everybody with a certificate may call a method now; none of ours."""
        if method.startswith(OURS):
            return False
        if monotonic() >= self.next_look:
            self._look()
        return matches(self.roles.open, method)

    def admit(self, spiffe_id: str, person: str, method: str) -> tuple[Caller, bool]:
        """
        Return who asks, if they may, and whether a second person must have approved it.

        Raises:
            CallerUnknown, PersonNotStatable, CallerMayNot: they may not; says who may.
        """
        if monotonic() >= self.next_look:
            self._look()
        caller = self.known.get((spiffe_id, person))
        if caller is None:
            caller = self.roles.caller(spiffe_id, person)
            if caller.roles:
                self.known[spiffe_id, person] = caller
        held = (caller.roles, method)
        if held not in self.allowed:
            second = self.roles.needs_second_person(*held)
            self.allowed[held] = (self.roles.may(*held), second)
        allowed, second_person = self.allowed[held]
        if not allowed:
            raise CallerMayNot(
                f"{caller.identity} may not call {method}",
                rpc=method,
                identity=caller.identity,
                roles=", ".join(self.roles.who_may(method)),
            )
        return caller, second_person

    def _look(self) -> None:
        """Read the file again if it changed; keep what we have if it cannot be used."""
        self.next_look = monotonic() + LOOK_AGAIN_SECONDS
        try:
            stamp = self.file.stat().st_mtime_ns
            if stamp == self.stamp:
                return
            self.stamp, roles = stamp, read_roles(self.file)
            self._require_held(roles)
            self.told(roles)
        except (OSError, RolesNotValid) as failure:
            structlog.get_logger().error("roles stay as they were", failure=str(failure))
            return
        self.roles = roles
        self.known.clear()
        self.allowed.clear()
        structlog.get_logger().info("roles read again", callers=len(roles.callers))
