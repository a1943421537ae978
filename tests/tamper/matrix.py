"""Every kind of tampering, and which named check is to find it; none: it is not found."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from services.ledger.application.inspecting import APPROVED as FOUR_EYES
from services.ledger.application.reconciling import CHECK as BANK
from tests.tamper import in_the_log as log
from tests.tamper import in_the_seals as seals
from tests.tamper import past_the_door as door
from tests.tamper.vault import Vault

SEALED, TREE = "events as sealed, one by one", "the tree over the seals"
SIGNED, KEPT = "checkpoints: signature and root", "log as it was kept elsewhere"
WHEN, ORDER = "recorded when it was sealed", "recorded instants do not go back"
GAPS, FORM = "versions of streams have no gap", "events are as this ledger writes them"
ASKED, REPLAY = "every fact was asked, every answer kept", "the log can be replayed"
ZERO, SLOTS = "events: postings sum to zero", "events: allocations recomputed"
LATE, POSTED = "events: lateness recomputed", "events: postings recomputed"
CONTROL = "control accounts tie out, after each event"
MONTHS = "receivables tie out, at each month end"
LOANS, ROWS, JOURNAL = "loan_summary", "instalments", "journal_lines"
TRIAL, TOLD = "trial balance is zero, by date", "messages counted and chained as the log tells them"


class Tampering(NamedTuple):
    """
    What somebody does, the checks that must find it, or what from outside would be needed.

    `witnessed` are the checks that find it with the last checkpoint that a witness has cosigned.
    """

    do: Callable[[Vault], None]
    found_by: tuple[str, ...]
    needs: str = ""
    witnessed: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What is done, as a sentence."""
        return (self.do.__doc__ or "").strip()


TAMPERINGS = [
    Tampering(log.one_cent_more, (SEALED, SIGNED, KEPT)),
    Tampering(log.amount_and_postings, (SEALED, SIGNED, KEPT, SLOTS)),
    Tampering(log.one_posting, (SEALED, ZERO)),
    Tampering(log.accrual_lowered, (SEALED, MONTHS)),
    Tampering(log.charge_off_halved, (SEALED, SIGNED, POSTED, CONTROL)),
    Tampering(log.loss_hidden, (SEALED, SIGNED, POSTED)),
    Tampering(log.garbled, (SEALED, REPLAY, FORM)),
    Tampering(log.dropped, (SEALED, KEPT, GAPS, ASKED)),
    Tampering(log.dropped_and_renumbered, (SEALED, SIGNED, KEPT)),
    Tampering(log.cut_short, (SEALED, SIGNED)),
    Tampering(log.swapped, (SEALED, KEPT)),
    Tampering(log.reordered, (SEALED, KEPT)),
    Tampering(log.inserted, (ASKED,)),
    Tampering(log.value_date_back, (SEALED, KEPT)),
    Tampering(log.learned_earlier, (SEALED, KEPT)),
    Tampering(log.given_to_another, (SEALED, KEPT, FORM, GAPS)),
    Tampering(log.called_otherwise, (SEALED, KEPT)),
    Tampering(log.delimiter_shifted, (SEALED, KEPT, FORM)),
    Tampering(log.loan_gone, (SEALED, KEPT)),
    Tampering(log.request_forgotten, (SEALED, KEPT, ASKED)),
    Tampering(log.day_closed_otherwise, (SEALED, SIGNED)),
    Tampering(log.approved_by_another, (SEALED, SIGNED, FOUR_EYES)),
    Tampering(door.not_approved, (FOUR_EYES,)),
    Tampering(door.approved_after, (FOUR_EYES,)),
    Tampering(door.approved_otherwise, (FOUR_EYES,)),
    Tampering(door.approved_by_oneself, (FOUR_EYES,)),
    Tampering(log.lateness_edited, (SEALED, LATE)),
    Tampering(log.clock_set_back, (WHEN,)),
    Tampering(log.recorded_earlier, (WHEN, ORDER)),
    Tampering(seals.leaf_made_to_fit, (TREE, SIGNED, KEPT)),
    Tampering(seals.inner_node_edited, (TREE,)),
    Tampering(seals.hashes_gone, (SEALED, TREE)),
    Tampering(seals.seals_gone, (SIGNED,)),
    Tampering(seals.checkpoint_edited, (SIGNED,)),
    Tampering(seals.last_checkpoint_gone, (SIGNED,)),
    Tampering(seals.sealed_by_a_stranger, (SIGNED, KEPT)),
    Tampering(seals.history_rewritten, (KEPT,)),
    Tampering(seals.history_made_up, (WHEN, KEPT)),
    Tampering(seals.backup_restored, (KEPT,)),
    Tampering(seals.forked_before, (KEPT,)),
    Tampering(seals.arrears_hidden, (LOANS,)),
    Tampering(seals.instalment_paid, (ROWS,)),
    Tampering(seals.journal_cent, (JOURNAL, TRIAL)),
    Tampering(seals.journal_balanced, (JOURNAL,)),
    Tampering(seals.journal_lost, (JOURNAL,)),
    Tampering(seals.message_swallowed, (TOLD,)),
    Tampering(log.unsealed_tail_dropped, (BANK,)),
    Tampering(log.forged_through_the_api, (BANK,)),
    Tampering(seals.rewritten_after, (), "a later checkpoint, kept elsewhere", (KEPT,)),
    Tampering(log.forged_with_the_bank, (), "the payer's own books"),
    Tampering(door.rule_switched_off, (), "a reader of the log's approval-rule, which says it"),
    Tampering(door.approval_made_up, (), "the word of whom it names: approvals are not signed"),
]
"""Of the last four, a witness finds the first; the others are all that the ledger was told."""
