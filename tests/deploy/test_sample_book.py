"""The sample book is the same for everybody, and it has every kind of borrower."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from deploy.sample.book import ENDS_ON, STARTS_ON, Due, applicants, deeds


def test_a_thousand_real_applications_in_order_of_date() -> None:
    """All applications of the file, spread over the first year."""
    found = applicants()

    assert len(found) == 1000
    assert sum(a.good for a in found) == 700
    assert [a.applied_on for a in found] == sorted(a.applied_on for a in found)
    assert (found[-1].applied_on - found[0].applied_on).days <= 364


def test_the_same_seed_gives_the_same_lives() -> None:
    """Deeds are generated alike each time, within the book, and of every kind."""
    kinds: Counter[str] = Counter()

    for applicant in applicants():
        dues = [Due(n, applicant.applied_on + timedelta(days=30 * n), 100) for n in range(1, 13)]
        life = deeds(applicant, dues)
        assert life == deeds(applicant, dues)
        assert all(STARTS_ON <= deed.on <= ENDS_ON for deed in life)
        kinds.update(deed.what for deed in life)

    expected = {"repay", "reverse", "promise", "hardship", "charge_off", "recover"}
    assert set(kinds) == expected
