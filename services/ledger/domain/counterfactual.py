"""What a loan would be, had something been otherwise; computed, compared, never stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import NamedTuple

import msgspec

from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.difference import Look
from services.ledger.domain.events import Fact, LoanOpened
from services.ledger.domain.explain import figures
from services.ledger.domain.facts import MoneyFact
from services.ledger.domain.loan_account import LoanAccount, fold
from services.ledger.domain.policies import DelinquencyPolicy
from services.ledger.domain.refusals import LoanNotActive, LoanNotFound, SuppositionInvalid
from services.ledger.domain.replay import timeline
from services.ledger.domain.scheme_edges import with_edges
from services.ledger.domain.terms import FirstPeriod, Terms, check_terms
from services.ledger.domain.timeline import Timeline
from services.ledger.domain.waterfall import Waterfall
from shared.kernel.dates import DayCount

_TERMS = ("grace_days", "penalty_rate_annual", "waterfall", "delinquency", "day_count")


def _several(value: object) -> tuple[object, ...]:
    """Return the things of a field that can name several; none of one that names one."""
    return value if isinstance(value, tuple) else ()


def _said(value: object) -> str:
    """Return what is supposed in a word: a policy by its name."""
    if isinstance(value, Waterfall | DelinquencyPolicy):
        return value.policy
    if isinstance(value, tuple):
        head, *rest = value
        if rest and isinstance(rest[0], tuple):
            return f"{head}: " + ", ".join(f"{name} from day {day}" for day, name in rest[0])
        return " to ".join(str(one) for one in value)
    return str(value)


class Supposition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What is supposed otherwise; nothing stated is as it is. Events are named by version.

    `without`: had they not happened. `value_dates`: had they counted from another date.
    `recorded_on_time`: had they been learned on the date from which they count. The others:
    had the contract, or a new plan of it, had this term. `delinquency`: had lateness been judged
    by it throughout, whatever policy it came under later. `scheme_edges`: had each policy that it
    was judged by these edges, first day past due and bucket, in the scheme of a name.
    """

    without: tuple[int, ...] = ()
    value_dates: tuple[tuple[int, date], ...] = ()
    recorded_on_time: tuple[int, ...] = ()
    grace_days: int | None = None
    penalty_rate_annual: Decimal | None = None
    waterfall: Waterfall | None = None
    delinquency: DelinquencyPolicy | None = None
    day_count: DayCount | None = None
    scheme_edges: tuple[tuple[str, tuple[tuple[int, str], ...]], ...] = ()

    @property
    def sha256(self) -> str:
        """The hash that names what was supposed, hex."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    @property
    def label(self) -> str:
        """What every answer says of itself."""
        return f"counterfactual {self.sha256[:16]}: no record of the ledger"

    def applied(self, terms: Terms) -> Terms:
        """
        Return a contract's terms as they are supposed; the same when nothing of them is.

        Raises:
            TermsInvalid: a supposed term leaves its range.
            SchemeNotInPolicy, SuppositionInvalid: the edges are none for its delinquency policy.
        """
        changed = {name: value for name in _TERMS if (value := getattr(self, name)) is not None}
        if self.day_count not in (None, DayCount.PERIOD_360):
            # Every other day count counts the days of each period.
            changed["first_period"] = FirstPeriod.WHOLE
        policy = self.judged(terms.delinquency)
        if policy is not terms.delinquency:
            changed["delinquency"] = policy
        if not changed:
            return terms
        supposed = msgspec.structs.replace(terms, **changed)
        check_terms(supposed)
        return supposed

    def judged(self, policy: DelinquencyPolicy) -> DelinquencyPolicy:
        """
        Return a delinquency policy as it is supposed, the contract's or a later one.

        Raises:
            SchemeNotInPolicy, SuppositionInvalid: the edges are none for it.
        """
        policy = self.delinquency or policy
        for scheme, edges in self.scheme_edges:
            policy = with_edges(policy, scheme, edges)
        return policy

    def parts(self) -> list[tuple[str, Supposition]]:
        """Return what is supposed, one thing after another: its name, and all up to it."""
        found: list[tuple[str, Supposition]] = []
        upto = Supposition()
        for name in self.__struct_fields__:
            if value := _several(getattr(self, name)):
                for k in range(len(value)):
                    upto = msgspec.structs.replace(upto, **{name: value[: k + 1]})
                    found.append((f"{name} {_said(value[k])}", upto))
            elif getattr(self, name) not in (None, ()):
                upto = msgspec.structs.replace(upto, **{name: getattr(self, name)})
                found.append((f"{name} {_said(getattr(self, name))}", upto))
        return found


class Supposed(NamedTuple):
    """A loan on one date as it is, and as it would be."""

    actual: Timeline
    supposed: Timeline

    @property
    def changes(self) -> dict[str, int]:
        """What the supposition adds to each figure, minor units or days; none that stays."""
        before, after = figures(self.actual), figures(self.supposed)
        return {name: after[name] - before[name] for name in before if after[name] != before[name]}

    @property
    def buckets(self) -> dict[str, tuple[str, str]]:
        """The bucket of each scheme as it is and as it would be; "" where there is no scheme."""
        was, would = standing_of(self.actual).buckets, standing_of(self.supposed).buckets
        return {name: (was.get(name, ""), would.get(name, "")) for name in sorted({*was, *would})}

    @property
    def bucket_changes(self) -> dict[str, tuple[str, str]]:
        """The schemes whose bucket would be another."""
        return {name: pair for name, pair in self.buckets.items() if pair[0] != pair[1]}


class Step(NamedTuple):
    """What one more supposed thing does: to figures (minor units, days) and buckets by scheme."""

    what: str
    changes: dict[str, int]
    buckets: dict[str, tuple[str, str]]


def steps(events: Sequence[Fact], look: Look, supposition: Supposition) -> list[Step]:
    """
    Attribute the difference to what is supposed, one thing after another; the steps sum exactly.

    Args:
        events: The loan's whole stream, in recorded order.
        look: About which date, as known when.
        supposition: What is supposed otherwise.
    Returns:
        In the order of the supposition's fields; a thing that changes nothing has no changes.
    """
    before, found = suppose(events, look, Supposition()).actual, []
    for what, upto in supposition.parts():
        after = suppose(events, look, upto).supposed
        one = Supposed(before, after)
        found.append(Step(what, one.changes, one.bucket_changes))
        before = after
    return found


def suppose(events: Sequence[Fact], look: Look, supposition: Supposition) -> Supposed:
    """
    Look at a loan as it is and as it would be.

    Args:
        events: The loan's whole stream, in recorded order.
        look: About which date, as known when.
        supposition: What is supposed otherwise.
    Returns:
        Both timelines, by the same code that posting uses; with nothing supposed they are equal.
    Raises:
        SuppositionInvalid: it names an event that is not there, or that opens the loan.
        SchemeNotInPolicy: edges are supposed in a scheme that the loan is not classified by.
        TermsInvalid: a supposed term leaves its range.
        LoanNotFound: nothing of the loan was known then.
        LoanNotActive: it was, or would be, not paid out on the date.
    """
    _check(events, supposition)
    changed = [
        (at, _moved(event, version, supposition))
        for version, event in enumerate(events, start=1)
        if version not in supposition.without
        for at in (_learned(event, version, supposition),)
    ]
    actual = [(event.recorded_at, event) for event in events]
    as_it_is = _line(actual, look, Supposition())
    return Supposed(as_it_is, _line(changed, look, supposition))


def _check(events: Sequence[Fact], supposition: Supposition) -> None:
    moved = [version for version, _ in supposition.value_dates]
    for version in (*supposition.without, *moved, *supposition.recorded_on_time):
        if not 1 <= version <= len(events):
            raise SuppositionInvalid(
                f"there is no event {version}", field="without", expected=f"1 to {len(events)}"
            )
        if isinstance(events[version - 1], LoanOpened):
            raise SuppositionInvalid(
                f"event {version} opens the loan", field="without", expected="a later event"
            )


def _moved(event: Fact, version: int, supposition: Supposition) -> Fact:
    on = dict(supposition.value_dates).get(version)
    return msgspec.structs.replace(event, effective_on=on) if on else event


def _learned(event: Fact, version: int, supposition: Supposition) -> datetime:
    if version not in supposition.recorded_on_time:
        return event.recorded_at
    on_time = datetime.combine(event.effective_on, time.min, UTC)
    return min(event.recorded_at, on_time)


def _line(
    events: Iterable[tuple[datetime, Fact]], look: Look, supposition: Supposition
) -> Timeline:
    account = fold(event for at, event in events if at <= look.known_at)
    if account is None:
        raise LoanNotFound("nothing of the loan was known then", field="known_at")
    if account.disbursed_on is None or look.on < account.disbursed_on:
        raise LoanNotActive(f"it is not paid out on {look.on}", field="effective_on")
    return timeline(
        supposition.applied(account.terms),
        account.disbursed_on,
        [_fact(fact, supposition) for fact in _live(account)],
        look.on,
        account.disbursed_minor,
    )


def _live(account: LoanAccount) -> list[MoneyFact]:
    return [fact for fact in account.facts if fact.fact_id not in account.reversed_ids]


def _fact(fact: MoneyFact, supposition: Supposition) -> MoneyFact:
    """Return a fact whose new plan, or new policy, if it brings one, is as supposed too."""
    if fact.policy is not None:
        return msgspec.structs.replace(fact, policy=supposition.judged(fact.policy))
    if fact.terms is None:
        return fact
    return msgspec.structs.replace(fact, terms=supposition.applied(fact.terms))
