"""Everything about one loan that an auditor takes home: proven, explained, checkable anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from services.ledger.application.evidence_page import page
from services.ledger.application.key_rotation import rotations
from services.ledger.application.proving import EventProof, Prover, Sealed
from services.ledger.application.reading import Seen, line_seen
from services.ledger.application.story import story
from services.ledger.application.tables_text import csv_text, json_text, jsonl_text
from services.ledger.domain.delinquency import past_due_table
from services.ledger.domain.events import Fact, Financial
from services.ledger.domain.explain import FIGURES, explain, figures
from services.ledger.domain.loan_account import LoanAccount, evolve, fold
from services.ledger.domain.refusals import LoanNotFound
from services.ledger.domain.status import status_on
from services.ledger.domain.timeline import Timeline
from shared.audit import packing
from shared.audit.approvals import METHODS, RULE
from shared.audit.checkpoints import Signer
from shared.audit.notes import signatures
from shared.audit.one_file import verifier_program

MAIN = b"from verify import main_of_pack\n\nraise SystemExit(main_of_pack())\n"
README = """\
Evidence about one loan, as a ledger stated and signed it.

Check it where nothing but Python is installed, and no network:

    python3 -I {name}.zip VERIFIER_KEY

Take VERIFIER_KEY from a place that the ledger's keeper cannot write to. verify.py is made of the
ledger's repository; run your own copy if you do not trust this one: python3 -I verify.py {name}.zip

checkpoint.txt      the signed root over the whole log (C2SP tlog-checkpoint)
events.jsonl        every event of the loan, as stored, with its inclusion proof (RFC 6962)
loan.json           the figures, on which date, as known when
explanations.json   each figure as a tree down to terms, dates and events
story.txt           why the loan is as late as it is, on one page
page.html           the same to look at in a browser: a plot, tables, each figure unfolded
timeline.csv        what was recorded, when it counts, and how late the loan was after it
schedule.csv        instalments: due and paid           past_due.csv   the same by due date
journal.csv         the double-entry lines of each event; debit above zero
approvals.json      rules of four eyes, approvals and answered requests of its changes, proven
rotations.json      changes of the log's key, each signed by both keys
MANIFEST.txt        hashes of all files, signed with the log's key; BLOCKS.txt: of their parts

Amounts are in minor units, such as cents.

The check holds: every byte as it was signed; every event under the signed root, the loan's from
its first without a gap; what needed a second person, by the rules that the log states, approved
before by another for exactly that request; journal.csv as the events post, at zero; every figure
as its tree comes to from its leaves; every payment in a tree as the event stored it, none left
out, none that was taken back (where later knowledge moved money, that no more counts than came in).

It does not recompute the leaves that are terms, due amounts, days, charges, penalty bases and
earned interest, nor schedule.csv, past_due.csv, timeline.csv, story.txt and page.html: these are
signed statements. Who doubts one folds events.jsonl with the ledger's program (services/ledger).
What no pack can prove: that no event, and no rule of four eyes, came after the last one in it.
Ask for a later checkpoint and pack, and compare; count the rules with those of a pack of a period.
"""


class Pack(NamedTuple):
    """The bytes of a pack, and what names it."""

    data: bytes
    on: date
    sealed: Sealed

    @property
    def sha256(self) -> str:
        """The hash of the pack, hex."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(slots=True)
class Evidence:
    """Makes evidence packs: the same question to the same checkpoint gives the same bytes."""

    prover: Prover
    signer: Callable[[], Signer]
    decode: Callable[[str, bytes], msgspec.Struct]

    async def of_loan(
        self, loan_id: str, on: date, *, known_at: datetime | None = None, size: int = 0
    ) -> Pack:
        """
        Pack what is known of a loan.

        Args:
            loan_id: The loan.
            on: The date that the figures are for.
            known_at: Leave out what was learned later; None: nothing.
            size: The checkpoint to prove under; 0: the last one.
        Raises:
            EventNotFound: the checkpoint covers nothing of the loan.
            LoanNotFound: nothing of it was known then.
            LoanNotActive: it was not paid out on that date.
            SizeUnknown: there is no checkpoint of that size.
        """
        proofs = await self.prover.loan(loan_id, size)
        events = [self._event(proof) for proof in proofs]
        known = sum(1 for e in events if known_at is None or e.recorded_at <= known_at)
        proofs, events = proofs[:known], events[:known]
        account = fold(events)
        if account is None:
            raise LoanNotFound(f"nothing of loan {loan_id} was known then", field="known_at")
        line = line_seen(Seen(account, on))
        said = {
            "loan_id": loan_id,
            "effective_on": on.isoformat(),
            "known_at": known_at.isoformat() if known_at else "",
            "version": account.version,
            "status": str(status_on(account, line, on)),
            "currency": account.terms.currency,
            "figures": figures(line),
        }
        sealed = proofs[0].checkpoint
        signer, changed = self.signer(), rotations(self.prover.log)
        files = {
            "README.txt": README.format(name="evidence").encode(),
            "checkpoint.txt": sealed.note.encode(),
            "verifier.txt": f"{signer.verifier}\n".encode(),
            "rotations.json": json_text([event.statement for event in changed]),
            "events.jsonl": jsonl_text(proven(proof) for proof in proofs),
            "loan.json": json_text(said),
            "approvals.json": json_text(await self._approvals(events, sealed)),
            **_figures(account, line, events),
            **program(),
        }
        text = signatures(sealed.note)[0]
        data = packing.closed(files, packing.LOAN_TITLE, text, signer.sign_text)
        return Pack(data, on, sealed)

    async def _approvals(self, events: Sequence[Fact], sealed: Sealed) -> list[dict[str, Any]]:
        """Prove the rules of four eyes, and of each change its approvals and its answer."""
        asked = {event.request_id for event in events if type(event).__name__ in METHODS}
        streams = [f"{kind}/{name}" for name in sorted(asked) for kind in ("approval", "request")]
        found = []
        for name in (RULE, *streams):
            found += await self.prover.stream(name, sealed.size, sealed)
        return [proven(proof) for proof in found]

    def _event(self, proof: EventProof) -> Fact:
        head, _, state = proof.leaf.partition(b"\n")
        event = self.decode(json.loads(head)[3], state)
        assert isinstance(event, Fact)
        return event


def proven(proof: EventProof) -> dict[str, Any]:
    """Return an event with the proof that it is in the log, as files of packs have it."""
    path = [base64.b64encode(step).decode() for step in proof.path]
    return {"number": proof.number, "leaf": proof.leaf.decode(), "path": path}


def _figures(account: LoanAccount, line: Timeline, events: Sequence[Fact]) -> dict[str, bytes]:
    """Return what follows from the events, as files."""
    return {
        "explanations.json": json_text(
            [{"figure": f, **explain(line, f)} for f in sorted(FIGURES)]
        ),
        "story.txt": story(account.loan_id, line, events).encode(),
        "page.html": page(account, line, events).encode(),
        "timeline.csv": _timeline(events),
        "schedule.csv": _schedule(line),
        "past_due.csv": csv_text(
            "due_on,due_minor,paid_minor,carried_minor,days_past_due", past_due_table(line)
        ),
        "journal.csv": csv_text(
            "version,effective_on,account,amount_minor",
            (
                (version, event.effective_on, posting.account, posting.amount_minor)
                for version, event in enumerate(events, start=1)
                if isinstance(event, Financial)
                for posting in event.postings
            ),
        ),
    }


def _timeline(events: Sequence[Fact]) -> bytes:
    rows, account = [], None
    for version, event in enumerate(events, start=1):
        account = evolve(account, event)
        amount = getattr(event, "amount_minor", "")
        late = account.standing.days_past_due
        name = type(event).__name__
        learned = event.recorded_at.isoformat()
        rows.append((version, name, event.effective_on, learned, amount, late, event.reason))
    header = "version,event,effective_on,recorded_at,amount_minor,days_past_due,reason"
    return csv_text(header, rows)


def _schedule(line: Timeline) -> bytes:
    header = (
        "number,due_on,principal_due_minor,interest_due_minor,charges_due_minor,penalty_due_minor,"
        "paid_minor,paid_on"
    )
    rows = [
        (
            row.number,
            row.due_on,
            row.principal_due,
            row.interest_due,
            sum(charge.due for charge in row.charges),
            line.penalty_due(row),
            row.paid,
            row.paid_on or "",
        )
        for row in line.rows
    ]
    return csv_text(header, rows)


def program() -> dict[str, bytes]:
    """Return the checking program, of the repository as it stands."""
    return {"__main__.py": MAIN, "verify.py": verifier_program()}
