"""Accounts by loan: those used last are in memory, the others in a file of their own."""

from __future__ import annotations

import pickle
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field

from services.ledger.domain.loan_account import LoanAccount

HELD_MAX, SPILLED = 500, 100


def _file() -> sqlite3.Connection:
    """Open a file without a name, which nobody else reads and which is gone with its process."""
    database = sqlite3.connect("", check_same_thread=False)
    database.execute("CREATE TABLE account (loan TEXT PRIMARY KEY, body BLOB NOT NULL)")
    return database


@dataclass(slots=True)
class Spilling(MutableMapping[str, LoanAccount]):
    """
    A mapping that holds so many accounts; those used longest ago are written out, some at once.

    Nothing is deleted from it.
    """

    held_max: int = HELD_MAX
    held: OrderedDict[str, LoanAccount] = field(default_factory=OrderedDict)
    file: sqlite3.Connection = field(default_factory=_file)

    def __getitem__(self, loan_id: str) -> LoanAccount:
        """Return a loan's account, read back where it was written out."""
        if (held := self.held.get(loan_id)) is not None:
            self.held.move_to_end(loan_id)
            return held
        query = "SELECT body FROM account WHERE loan = ?"
        row = self.file.execute(query, (loan_id,)).fetchone()
        if row is None:
            raise KeyError(loan_id)
        # Nobody else has written it.
        account: LoanAccount = pickle.loads(row[0])
        self[loan_id] = account
        return account

    def __setitem__(self, loan_id: str, account: LoanAccount) -> None:
        """Hold an account in place of the one before."""
        self.held[loan_id] = account
        self.held.move_to_end(loan_id)
        if len(self.held) > self.held_max:
            oldest = [self.held.popitem(last=False) for _ in range(min(SPILLED, self.held_max))]
            rows = [(name, pickle.dumps(one, pickle.HIGHEST_PROTOCOL)) for name, one in oldest]
            self.file.executemany("INSERT OR REPLACE INTO account VALUES (?, ?)", rows)
            self.file.commit()

    def __delitem__(self, loan_id: str) -> None:
        """Nobody forgets a loan."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        """Yield every loan."""
        out = [name for (name,) in self.file.execute("SELECT loan FROM account")]
        yield from {*out, *self.held}

    def __len__(self) -> int:
        """Return how many loans there are."""
        return sum(1 for _ in self)
