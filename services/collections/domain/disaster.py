"""A disaster shields everybody who lives in its region, now or later, until it is over."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from services.collections.domain.contact_rules import ProtectionKind
from services.collections.domain.debtor import Debtor, Protection, with_protection
from shared.kernel.errors import NotFound, Refused


class DisasterNotFound(NotFound):
    """No disaster of this name was declared."""


class DisasterHasEnded(Refused):
    """The disaster was ended already, on that day or before: only earlier can it end again."""


class Disaster(msgspec.Struct, frozen=True, kw_only=True):
    """
    One declared disaster; both days included.

    `region` stands for what lies in it too: CN-51 for CN-51 and CN-51-01. `pauses`: days past due
    stand still meanwhile. Ended before its first day it never shielded anybody.
    """

    disaster_id: str
    region: str
    from_on: date
    until_on: date
    note: str
    declared_by: str
    pauses: bool = False
    ended_on: date | None = None
    ended_by: str = ""

    @property
    def last_on(self) -> date:
        """The last day on which it shields."""
        return self.until_on if self.ended_on is None else min(self.ended_on, self.until_on)

    def covers(self, debtor: Debtor) -> bool:
        """Say whether a debtor lives in its region."""
        return debtor.region == self.region or debtor.region.startswith(f"{self.region}-")

    def said(self) -> str:
        """Return it in words."""
        return f"{self.disaster_id} in {self.region}: {self.note}"[:190]

    def shield(self, debtor: Debtor) -> Debtor:
        """Return a debtor with what the disaster shields, if it concerns them."""
        if not self.covers(debtor) or self.last_on < self.from_on:
            return debtor
        one = Protection(
            protection_id=self.disaster_id,
            kind=ProtectionKind.DISASTER,
            from_on=self.from_on,
            until_on=self.last_on,
            note=self.note,
        )
        return with_protection(debtor, one)


def ended(disaster: Disaster, last_on: date, by: str) -> Disaster:
    """End a disaster after a day, or undo it with a day before its first; again only earlier."""
    before = max(last_on, disaster.from_on - timedelta(days=1))
    if disaster.ended_on is not None and before >= disaster.last_on:
        said = f"before {disaster.last_on}"
        raise DisasterHasEnded(f"ended on {disaster.ended_on}", field="last_on", expected=said)
    return msgspec.structs.replace(disaster, ended_on=before, ended_by=by)
