"""Decide commands against accounts in memory, and store what follows in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec

from services.ledger.application.asks import Ask, BatchRefused, first_answer
from services.ledger.application.ports import Log, LogUnavailable, StreamChanged
from services.ledger.domain import commands as cmd
from services.ledger.domain.approvals import holds
from services.ledger.domain.book_events import RequestAnswered
from services.ledger.domain.decide import decide
from services.ledger.domain.loan_account import LoanAccount, fold, size_of
from services.ledger.domain.refusals import LoanChangedMeanwhile
from shared.kernel.bounded import Bounded
from shared.kernel.errors import LendingError

ACCOUNTS_BYTES_MAX = 128 << 20
READ_AHEAD_BYTES_MAX = 64 << 20
"""Of accounts read together for one commit; what is beyond is read when its turn comes."""


@dataclass(slots=True)
class Commits:
    """
    What the one writer does on its thread: decide, store, and say what became of each ask.

    `accounts` are as stored; one that another writer has changed is read again from the log.
    """

    log: Log
    business_on: date | None = field(default=None, kw_only=True)
    accounts: Bounded[LoanAccount] = field(
        default_factory=lambda: Bounded(ACCOUNTS_BYTES_MAX, size_of), kw_only=True
    )

    def commit(self, asks: Sequence[Ask]) -> None:
        """Decide commands and store them in one transaction; on conflict once more, then alone."""
        if self._try(asks):
            return
        # Nothing was stored: a refusal may have met what another ask did only in memory.
        left = []
        for ask in asks:
            ask.outcome, ask.events = first_answer(self.log, ask), ()
            if ask.outcome is None:
                left.append(ask)
        if not self._try(left):
            for ask in left:
                self._commit_alone(ask)

    def commit_all(self, asks: Sequence[Ask]) -> None:
        """Store all commands in one transaction, or none; those answered before stay so."""
        left = []
        for ask in asks:
            ask.outcome = first_answer(self.log, ask)
            if ask.outcome is None:
                left.append(ask)
        for _ in range(2):
            if not _any_refused(asks) and self._try(left, whole=True):
                return
        refused = _any_refused(asks)
        for ask in left:
            ask.events = ()
            if not isinstance(ask.outcome, LendingError):
                ask.outcome = (
                    BatchRefused("another item was refused")
                    if refused
                    else LoanChangedMeanwhile("another writer was first")
                )

    def _try(self, asks: Sequence[Ask], *, whole: bool = False) -> bool:
        """Decide and store; False if nothing was stored: a conflict, or a refusal in a whole."""
        fresh = self._read_ahead(asks)
        streams: list[tuple[str, int, Sequence[msgspec.Struct]]] = []
        asked: dict[str, Ask] = {}
        for ask in asks:
            request_id = ask.command.request_id
            if ask.body_sha256 and request_id in asked:
                continue
            try:
                streams += self._decided(ask, fresh)
                asked[request_id] = ask
            except LogUnavailable:
                raise
            except LendingError as refusal:
                ask.outcome = first_answer(self.log, ask) or refusal
                if whole:
                    return False
        try:
            if streams:
                self.log.append(streams)
        except StreamChanged:
            self._forget(fresh)
            return False
        self._remember(fresh)
        for ask in asks:
            if ask.outcome is None:
                ask.outcome = first_answer(self.log, ask)
        return True

    def _read_ahead(self, asks: Sequence[Ask]) -> dict[str, LoanAccount | None]:
        """Read the loans that are not in memory together, up to so many bytes."""
        wanted = {ask.command.loan_id for ask in asks}
        cold = [f"loan/{loan_id}" for loan_id in wanted if loan_id not in self.accounts]
        read: dict[str, LoanAccount | None] = {}
        size = 0
        for name, events in self.log.streams(cold) if len(cold) > 1 else ():
            read[name.removeprefix("loan/")] = account = fold(events)
            size += size_of(account) if account else 0
            if size > READ_AHEAD_BYTES_MAX:
                break
        return read

    def account(self, loan_id: str) -> LoanAccount | None:
        """Return a loan as it stands; from memory, else from the log."""
        known = self.accounts.get(loan_id)
        return known if known is not None else fold(self.log.stream(f"loan/{loan_id}"))

    def in_turn(self, command: cmd.Asked, before: LoanAccount | None) -> cmd.Asked:
        """
        Return a command as it is decided: on the business date, and known after all before it.

        What waited while another was recorded, or was asked of a clock that is behind, would else
        be known earlier than a version that it follows.
        """
        at = command.recorded_at
        if before is not None and before.known_at is not None and before.known_at > at:
            at = before.known_at
        return msgspec.structs.replace(command, business_on=self.business_on, recorded_at=at)

    def _decided(
        self, ask: Ask, fresh: dict[str, LoanAccount | None]
    ) -> list[tuple[str, int, Sequence[msgspec.Struct]]]:
        loan_id = ask.command.loan_id
        before = fresh[loan_id] if loan_id in fresh else self.account(loan_id)
        command = self.in_turn(ask.command, before)
        if ask.approved_until is not None:
            holds(ask.approved_until, command.recorded_at)
        events = decide(before, command)
        after = fold(events, before)
        fresh[loan_id] = after
        answered = RequestAnswered(
            request_id=command.request_id,
            body_sha256=ask.body_sha256,
            loan_id=loan_id,
            loan_version=after.version if after else 0,
            business_on=self.business_on,
        )
        ask.outcome, ask.events = answered, events
        streams: list[tuple[str, int, Sequence[msgspec.Struct]]] = []
        if events:
            streams.append((f"loan/{loan_id}", before.version if before else 0, events))
        if ask.body_sha256:
            streams.append((f"request/{command.request_id}", 0, [answered]))
        return streams

    def _commit_alone(self, ask: Ask) -> None:
        """Answer one request after a conflict: its first answer, or a fresh decision."""
        ask.outcome, ask.events = first_answer(self.log, ask), ()
        if ask.outcome is not None:
            return
        fresh: dict[str, LoanAccount | None] = {}
        self.accounts.drop(ask.command.loan_id)
        try:
            self.log.append(self._decided(ask, fresh))
            self._remember(fresh)
        except LogUnavailable:
            raise
        except LendingError as refusal:
            ask.outcome = refusal
        except StreamChanged:
            self._forget(fresh)
            changed = LoanChangedMeanwhile("another writer was first", loan=ask.command.loan_id)
            ask.outcome = first_answer(self.log, ask) or changed

    def _remember(self, fresh: dict[str, LoanAccount | None]) -> None:
        for loan_id, account in fresh.items():
            if account is not None:
                self.accounts.put(loan_id, account)

    def _forget(self, fresh: dict[str, LoanAccount | None]) -> None:
        for loan_id in fresh:
            self.accounts.drop(loan_id)


def _any_refused(asks: Sequence[Ask]) -> bool:
    return any(isinstance(ask.outcome, LendingError) for ask in asks)
