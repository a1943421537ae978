"""Laws of the contact gate over random streams of attempts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.collections.domain.contact_gate import next_allowed, refusal_of
from services.collections.domain.contact_rules import Channel, Counted, Outcome
from services.collections.domain.debtor import Attempt
from tests.services.collections.people import HOME, attempt, debtor, rules, shielded

MOMENTS = st.integers(0, 20 * 24 * 12).map(
    lambda fives: datetime(2026, 2, 26, tzinfo=UTC) + timedelta(minutes=5 * fives)
)
STREAMS = st.lists(
    st.tuples(
        MOMENTS,
        st.sampled_from(["CALL", "VOICE", "EMAIL", "VISIT"]),
        st.sampled_from([Outcome.REACHED, Outcome.NO_ANSWER]),
        st.sampled_from(["L-1", "L-2"]),
    ),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(where=st.sampled_from(sorted(HOME)), stream=STREAMS, known=st.booleans())
def test_no_stream_of_attempts_breaks_a_rule(
    where: str, stream: list[tuple[datetime, str, Outcome, str]], known: bool
) -> None:
    """Whatever is tried, in whatever order it is recorded, no window holds one too many."""
    law = rules(where)
    person = debtor(where) if known else debtor(where, time_zone="")
    made: list[Attempt] = []
    for at, channel, outcome, loan_id in stream:
        wished = attempt(at, channel, outcome=outcome, loan_id=loan_id, staff=2)
        if refusal_of(law, wished, person, made) is None:
            made.append(wished)

    for zone in person.zones(law):
        for rule in law.counts:
            for loan_id in {"L-1", "L-2"} if rule.per == "DEBT" else {""}:
                days = sorted(
                    one.at.astimezone(zone).date()
                    for one in made
                    if one.is_counted(rule.counts, rule.channels) and loan_id in ("", one.loan_id)
                )
                for first in days:
                    window = [d for d in days if first <= d < first + timedelta(days=rule.days)]
                    assert len(window) <= rule.most
        assert all(8 <= one.at.astimezone(zone).hour < 22 for one in made)
    talks = [a for a in made if a.is_counted(Counted.CONVERSATION, (Channel.CALL, Channel.VOICE))]
    for talk in talks if law.quiet else []:
        after = [a for a in talks if a.loan_id == talk.loan_id and a.at > talk.at]
        seen_before = made.index(talk)
        assert all(
            a.at - talk.at >= timedelta(days=6) for a in after if made.index(a) > seen_before
        )


@settings(max_examples=60, deadline=None)
@given(
    where=st.sampled_from(sorted(HOME)),
    stream=STREAMS,
    at=MOMENTS,
    channel=st.sampled_from(["CALL", "EMAIL"]),
    kind=st.sampled_from([None, "DISASTER", "BREATHING_SPACE", "CEASED"]),
)
def test_the_next_allowed_time_is_the_first(
    where: str,
    stream: list[tuple[datetime, str, Outcome, str]],
    at: datetime,
    channel: str,
    kind: str | None,
) -> None:
    """At the time that a refusal names the gate is open, and at no time before it."""
    law, person = rules(where), debtor(where)
    if kind is not None:
        person = msgspec.structs.replace(person, protections=(shielded(kind, "2026-03-04"),))
    past = [attempt(when, c, outcome=o, loan_id=loan) for when, c, o, loan in stream[:12]]
    wished = attempt(at, channel)

    opens = next_allowed(law, wished, person, past)

    assert opens is not None and opens >= at
    assert refusal_of(law, attempt(opens, channel), person, past) is None
    step = max(timedelta(minutes=17), (opens - at) / 50)
    before = at
    while before < opens:
        assert refusal_of(law, attempt(before, channel), person, past) is not None
        before += step
