"""What happened so far: shared by all who saw a part of it, and it costs the same to go on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain import commands as cmd
from services.ledger.domain.decide import decide
from services.ledger.domain.kept import KEEPER
from services.ledger.domain.loan_account import fold
from services.ledger.domain.trail import Trail
from tests.services.ledger.domain.desk import Desk

FEW, MANY, TIMED = 50, 5_000, 50
GROWTH_MAX = 1.5


SOME = st.lists(st.integers(0, 3), max_size=3)


@given(st.lists(st.tuples(st.integers(0, 9), SOME), max_size=40))
def test_each_trail_keeps_what_it_was_whoever_goes_on_from_it(
    acts: list[tuple[int, list[int]]],
) -> None:
    """Growing from any trail by one or more, the newest or an earlier one, changes none."""
    trails, lists = [Trail[int]()], [[]]

    for start, items in acts:
        k = start % len(trails)
        trails.append(trails[k].grown(*items) if len(items) == 1 else trails[k].grown_by(items))
        lists.append([*lists[k], *items])

    assert [list(trail) for trail in trails] == lists
    assert [list(reversed(trail)) for trail in trails] == [one[::-1] for one in lists]
    assert all(
        a.begins_with(b) == (left[: len(right)] == right)
        for a, left in zip(trails, lists, strict=True)
        for b, right in zip(trails, lists, strict=True)
    )


def test_a_part_of_a_trail_is_a_trail() -> None:
    """Its first items, its slices and its places are those of a list."""
    trail = Trail(range(5))

    assert list(trail.first(3)) == [0, 1, 2] and trail.first(9) is trail
    assert (trail[-1], trail[0], trail[1:3], trail[::2]) == (4, 0, [1, 2], [0, 2, 4])
    assert trail.first(3).grown(3) == trail.first(4) and trail.first(3).grown(7)[-1] == 7
    assert list(trail) == [0, 1, 2, 3, 4]


def test_two_threads_grow_the_same_trail_apart() -> None:
    """Each finds its own items in its own trail, whoever was first."""
    start = Trail([0])

    def grow(name: int) -> bool:
        trail = start
        for k in range(2_000):
            item = name * 10_000 + k
            trail = trail.grown(item) if k % 2 else trail.grown_by([item])
        return list(trail) == [0, *(name * 10_000 + k for k in range(2_000))]

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(grow, range(1, 5)))


def test_growing_by_several_is_growing_by_each() -> None:
    """Several items at once give what one after the other gives, shared or parted."""
    begun: Trail[int] = Trail((1, 2))
    shared = begun.grown(3).grown(4)

    for more in ([], [3], [3, 4, 5], [7, 8], [3, 9]):
        grown, one_by_one = begun.grown_by(more), begun
        for item in more:
            one_by_one = one_by_one.grown(item)
        assert list(grown) == [1, 2, *more] == list(one_by_one)
    assert begun.grown_by([3, 4]).shares(shared)
    assert (list(begun), list(shared)) == ([1, 2], [1, 2, 3, 4])


def seconds_of(desk: Desk) -> float:
    """Return the least seconds of one repayment, of many, into a loan as it stands."""
    least = float("inf")
    for _ in range(TIMED):
        started = perf_counter()
        desk.repay("0.01")
        least = min(least, perf_counter() - started)
    return least


def test_a_repayment_costs_the_same_however_many_came_before() -> None:
    """The five-thousandth repayment into a loan costs what the fiftieth does."""
    KEEPER.lines.clear()
    desk = Desk()
    for _ in range(FEW):
        desk.repay("0.01")
    few = seconds_of(desk)
    while len(desk.account.facts) < MANY:
        desk.repay("0.01")

    many = seconds_of(desk)

    assert many <= GROWTH_MAX * few
    assert fold(desk.events) == desk.account


def test_what_is_only_weighed_leaves_no_trace() -> None:
    """A command that was decided and not stored does not show in the account it was asked of."""
    desk = Desk()
    desk.repay("10.00")
    before, facts = desk.account, list(desk.account.facts)
    asked = {"loan_id": "L-1", "recorded_at": before.known_at, "business_on": desk.on}
    paid = {"value_on": desk.on, "currency": "CNY"}

    for amount in (100, 200, 300):
        command = cmd.PostRepayment(request_id=f"w-{amount}", amount_minor=amount, **asked, **paid)
        after = fold(decide(before, command), before)
        assert [fact.amount_minor for fact in after.facts] == [1_000, amount]

    assert list(before.facts) == facts
    assert before.timeline(desk.on).received == 1_000
