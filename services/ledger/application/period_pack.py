"""The evidence about a period that an auditor takes home: the whole book, checkable anywhere."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from services.ledger.application import entry_tests
from services.ledger.application.evidencing import program, proven
from services.ledger.application.exporting import Entry, beancount, hledger
from services.ledger.application.key_rotation import rotations
from services.ledger.application.period import Period
from services.ledger.application.period_page import period_page
from services.ledger.application.period_tables import (
    LOANS,
    balance_rows,
    loan_rows,
    named,
    standard,
    test_rows,
    totals,
)
from services.ledger.application.proving import Prover, Sealed
from services.ledger.application.tables_text import csv_text, json_text
from services.ledger.domain.chart import CHART, POSTING_POLICIES
from services.ledger.domain.events import Posting
from services.ledger.domain.policies import POLICIES
from services.ledger.domain.waterfall import WATERFALLS
from shared.audit import packing
from shared.audit.approvals import RULE
from shared.audit.checkpoints import Signer
from shared.audit.notes import checkpoint_of, signatures
from shared.audit.sbom import bill_of_materials
from shared.audit.verify_books import BALANCES
from shared.audit.verify_period import sample_seed

DAY = timedelta(days=1)
README = """\
Evidence about a lender's whole book from {since} to {until}, as its ledger stated and signed it.

Check it where nothing but Python is installed, and no network:

    python3 -I verify.py pack.zip VERIFIER_KEY

Take VERIFIER_KEY, and verify.py, from a place that the ledger's keeper cannot write to.

period.json              where the period lies in the log, counts, seed and nonce of the sample
events.jsonl             every sealed event from the checkpoint before to the checkpoint after
checkpoint.txt, checkpoint-before.txt, edge.json, consistency.json, rotations.json
                         signed roots; the tree of the first, grown by the events, is the second
approvals.json           rules of four eyes and approvals from before the pack, proven
checkpoint-last-pack.txt what the pack before this one ended with, if it was given
journal.hledger, journal.beancount      the journal, with assertions of every balance at the end
balances.csv             trial balance at both ends and what moved; minor units, debit above zero
GL_Detail, Trial_Balance, Chart_Of_Accounts     AICPA Audit Data Standards, General Ledger, 2015
loans-before.csv, loans-after.csv       every loan on the day before and on the last day, as known
entry-tests.csv, sample.csv             flags of the tests of entries; entries to vouch
policies.json            every policy a contract can name, and the chart of accounts
requirements.lock, sbom.cdx.json        what the program is made of (CycloneDX)
report.html              the same to look at
MANIFEST.txt             hashes of all files, signed with the log's key; BLOCKS.txt: of their parts

The check holds: every byte as it was signed; the events are all events of the log between the two
checkpoints, none missing, none added; the period begins and ends where business dates say; each
entry sums to zero; what needed a second person, by the rule that the log states, was approved
before, by another, for exactly that request; every cell of GL_Detail and every byte of both
journals is what the events post; the beginning balances and what moved give the ending ones; the
principal of the loans on the books is that of the trial balance, at both ends; the population is
counted and the sample drawn again, by the last root and the nonce that an auditor gave. Where
there is no nonce, the seed was known to the keeper, who could have chosen what the sample misses.

That a rule of four eyes was stated before, and kept out of this pack, only the pack before shows.
It does not recompute: the beginning balances (they are the ending ones of the pack before), the
other columns of loans, the flags of the tests, the page and the Parquet file: these are signed
statements, and `python -m services.ledger replay` holds them against the whole log.
"""


@dataclass(slots=True)
class PeriodEvidence:
    """Makes packs about periods: the same period of the same log gives the same bytes."""

    prover: Prover
    signer: Signer
    lock: str
    parquet: Callable[[Path], Path] | None = None

    async def write(
        self,
        target: BinaryIO,
        period: Period,
        events: Path,
        *,
        sample: int,
        nonce: str = "",
        last: Sealed | None = None,
    ) -> dict[str, Any]:
        """
        Write the zip, a part at a time, and return what its period.json says.

        Args:
            target: Takes the zip; it can be gone back in.
            period: As it was read.
            events: Where its events were written.
            sample: How many entries to draw.
            nonce: An auditor's own word, said after they held the last checkpoint. Without one the
                keeper, who can try many roots, knew the seed; the pack says so.
            last: The checkpoint that the pack before this one ended with.
        """
        bounds = period.bounds
        flags = test_rows(period)
        loans = (
            loan_rows(period.before, bounds.since - DAY),
            loan_rows(period.after, bounds.until),
        )
        upto = signatures(bounds.upto.note)[0]
        drawn = sample_seed(checkpoint_of(upto).root, nonce)
        said = {**_said(period), "seed": drawn, "nonce": nonce, "sample_size": sample}
        said |= {"loans_before": totals(loans[0]), "loans_after": totals(loans[1])}
        entries = entry_tests.later(period.lives, period.since_versions)
        vouched = entry_tests.sample(entries, sample, drawn)
        files: dict[str, packing.Content] = {
            "README.txt": README.format(since=bounds.since, until=bounds.until).encode(),
            "period.json": json_text(said),
            "verifier.txt": f"{self.signer.verifier}\n".encode(),
            "rotations.json": json_text([e.statement for e in rotations(self.prover.log)]),
            "events.jsonl": events,
            **await self._sealed(period, last),
            "approvals.json": json_text(await self._approvals(period)),
            **_books(period),
            "loans-before.csv": csv_text(LOANS, loans[0]),
            "loans-after.csv": csv_text(LOANS, loans[1]),
            "entry-tests.csv": csv_text("test,loan_id,version,why", flags),
            "sample.csv": csv_text("loan_id,version", vouched),
            "policies.json": json_text(_policies()),
            "requirements.lock": self.lock.encode(),
            "sbom.cdx.json": json_text(bill_of_materials(self.lock, "duebook")),
            "report.html": period_page(period, said, flags, loans).encode(),
            **program(),
        }
        if self.parquet is not None:
            files["events.parquet"] = self.parquet(events)
        packing.write_closed(target, files, packing.PERIOD_TITLE, upto, self.signer.sign_text)
        return said

    async def _sealed(self, period: Period, last: Sealed | None) -> dict[str, bytes]:
        """Return what proves that the events are all."""
        bounds = period.bounds
        seen = [one for one in (bounds.start, bounds.upto, last) if one is not None]
        sizes = sorted([*(one.size for one in seen), *([] if bounds.start else [0])])
        proofs = [await self._proof(*pair) for pair in pairwise(sizes)]
        files = {
            "edge.json": json_text(
                [[*node, base64.b64encode(h).decode()] for node, h in sorted(period.edge.items())]
            ),
            "checkpoint.txt": bounds.upto.note.encode(),
            "consistency.json": json_text(proofs),
        }
        if bounds.start is not None:
            files["checkpoint-before.txt"] = bounds.start.note.encode()
        if last is not None:
            files["checkpoint-last-pack.txt"] = last.note.encode()
        return files

    async def _approvals(self, period: Period) -> list[dict[str, Any]]:
        """Prove the rules, and the approvals of the period's changes, from before the pack."""
        bounds = period.bounds
        proofs = []
        for name in (RULE, *(f"approval/{request_id}" for request_id in sorted(period.changes))):
            proofs += await self.prover.stream(name, bounds.start_size, bounds.upto)
        return [proven(proof) for proof in proofs]

    async def _proof(self, first: int, second: int) -> dict[str, Any]:
        path = await self.prover.consistency(first, second)
        steps = [base64.b64encode(step).decode() for step in path]
        return {"first": first, "second": second, "path": steps}


def _said(period: Period) -> dict[str, Any]:
    bounds = period.bounds
    tested = entry_tests.population(entry_tests.later(period.lives, period.since_versions))
    return {
        "since": bounds.since.isoformat(),
        "until": bounds.until.isoformat(),
        "first_leaf": bounds.first,
        "end_leaf": bounds.end,
        "start_size": bounds.start_size,
        "end_size": bounds.upto.size,
        "gl_detail": named("GL_Detail", bounds.since, bounds.until),
        "trial_balance": named("Trial_Balance", bounds.since, bounds.until),
        "journal_entries": len(period.entries),
        "population": {
            name: str(value) if name.endswith("_on") else value
            for name, value in tested._asdict().items()
        },
    }


def _books(period: Period) -> dict[str, bytes]:
    """Return the journals, each with what was there before as its first entry, and the tables."""
    opening = list(_opening(period))
    ending = period.ending
    balances = [
        (account, currency, ending[currency, account]) for currency, account in sorted(ending)
    ]
    writers = {"journal.hledger": hledger, "journal.beancount": beancount}
    journals = {
        name: "".join(write([*opening, *period.entries], balances)).encode()
        for name, write in writers.items()
    }
    table = csv_text(BALANCES, balance_rows(period))
    return {**journals, **standard(period), "balances.csv": table}


def _opening(period: Period) -> Iterator[Entry]:
    first = min((entry.on for entry in period.entries), default=period.bounds.since)
    on = min(first, period.bounds.since) - DAY
    for currency in sorted({of for (of, _), minor in period.beginning.items() if minor}):
        postings = tuple(
            Posting(account, minor)
            for (of, account), minor in sorted(period.beginning.items())
            if of == currency and minor
        )
        yield Entry(0, on, "BeginningBalances", "", currency, postings)


def _policies() -> dict[str, Mapping[str, Any]]:
    def plain(named: Mapping[str, Any]) -> dict[str, Any]:
        return {name: msgspec.to_builtins(value) for name, value in sorted(named.items())}

    return {
        "delinquency": plain(POLICIES),
        "allocation": plain(WATERFALLS),
        "posting": plain(POSTING_POLICIES),
        "chart": plain(CHART),
    }
