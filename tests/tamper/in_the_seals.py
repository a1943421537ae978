"""What somebody can do to the tree, the checkpoints, the key, and what is derived."""

from __future__ import annotations

import asyncio

from services.ledger.application.ports import Logged
from services.ledger.application.sealing import leaf_of
from shared.audit.merkle import leaf_hash
from tests.tamper.in_the_log import amount_and_postings, repayment, said, shifted
from tests.tamper.vault import Row, Vault, live, sealed


def leaf_made_to_fit(vault: Vault) -> None:
    """An event is edited, and the hash of its leaf with it."""
    event = said(row := repayment(vault))
    vault.write(row, {**event, "reason": "agreed"})
    number = [r.position for r in vault.rows()].index(row.position)
    fresh = next(r for r in vault.rows() if r.position == row.position)
    vault.read(
        "UPDATE sealed_nodes SET hash = :hash WHERE level = 0 AND number = :number",
        hash=leaf_hash(leaf_of(_logged(fresh))),
        number=number,
    )


def _logged(row: Row) -> Logged:
    return Logged(*row)


def inner_node_edited(vault: Vault) -> None:
    """One subtree's hash is replaced."""
    vault.read("UPDATE sealed_nodes SET hash = :h WHERE level = 2 AND number = 1", h=b"\0" * 32)


def hashes_gone(vault: Vault) -> None:
    """An event is edited, and every hash of the tree is deleted; the checkpoints stay."""
    amount_and_postings(vault)
    vault.read("DELETE FROM sealed_nodes WHERE level > 0")
    vault.read("DELETE FROM sealed_nodes WHERE number < (SELECT max(number) FROM sealed_nodes)")


def seals_gone(vault: Vault) -> None:
    """Nothing is left of the tree nor of its checkpoints."""
    vault.read("DELETE FROM sealed_nodes")
    vault.read("DELETE FROM checkpoints")


def checkpoint_edited(vault: Vault) -> None:
    """A checkpoint says another size."""
    size, note = vault.read("SELECT size, note FROM checkpoints ORDER BY size LIMIT 1")[0]
    other = note.replace(f"\n{size}\n", f"\n{size - 1}\n")
    vault.read("UPDATE checkpoints SET note = :note WHERE size = :size", note=other, size=size)


def last_checkpoint_gone(vault: Vault) -> None:
    """The last checkpoint is deleted."""
    vault.read("DELETE FROM checkpoints WHERE size = (SELECT max(size) FROM checkpoints)")


def sealed_by_a_stranger(vault: Vault) -> None:
    """An event is edited, and the whole tree is built again under a key of one's own."""
    amount_and_postings(vault)
    vault.rebuild(key="another.key", read_models=False)


def history_rewritten(vault: Vault) -> None:
    """With the ledger's own key: an approval is rewritten, everything derived is built again."""
    row = vault.rows(topic="ChargeApplied")[0]
    vault.write(row, {**said(row), "reason": "agreed by letter"})
    vault.rebuild()


def history_made_up(vault: Vault) -> None:
    """A whole history, three days old by its own account, is sealed today in one page."""
    for row in vault.rows():
        if "recorded_at" in (event := said(row)):
            earlier = shifted(event["recorded_at"], days=-3)
            vault.write(row, {**event, "recorded_at": earlier})
    vault.rebuild(page=len(vault.rows()))


def backup_restored(vault: Vault) -> None:
    """A backup from before the auditor came takes the place of log, tree and tables."""
    size = vault.read("SELECT min(size) FROM checkpoints")[0][0]
    for row in vault.rows()[size:]:
        vault.log("DELETE FROM ledger_events WHERE POSITION = :position", position=row.position)
    vault.rebuild()


def forked_before(vault: Vault) -> None:
    """The log is cut back before the auditor's checkpoint, goes on otherwise, and is sealed."""
    backup_restored(vault)

    async def otherwise(book) -> None:
        for k in range(60):
            await book.repay(f"L-{k % 2}", 100 + k)

    asyncio.run(live(vault, otherwise))
    asyncio.run(sealed(vault))


def rewritten_after(vault: Vault) -> None:
    """With the ledger's own key: what came after the auditor left is rewritten and resealed."""
    row = vault.rows(topic="ChargeWaived")[0]
    vault.write(row, {**said(row), "reason": "complaint"})
    vault.rebuild()


def arrears_hidden(vault: Vault) -> None:
    """The list of loans shows no arrears for one that is late."""
    vault.read("UPDATE loan_summary SET arrears_minor = 0, bucket = 'M0' WHERE loan_id = 'L-3'")


def instalment_paid(vault: Vault) -> None:
    """An instalment is shown as paid."""
    vault.read(
        "UPDATE instalments SET principal_paid_minor = principal_due_minor"
        " WHERE loan_id = 'L-2' AND number = 4"
    )


def journal_cent(vault: Vault) -> None:
    """One journal line is a cent higher."""
    first = vault.read("SELECT position, line FROM journal_lines ORDER BY 1, 2 LIMIT 1")[0]
    _journal(vault, first, 1)


def journal_balanced(vault: Vault) -> None:
    """Two journal lines of one fact are changed so that they still sum to zero."""
    one, other = vault.read("SELECT position, line FROM journal_lines ORDER BY 1, 2 LIMIT 2")
    _journal(vault, one, 100)
    _journal(vault, other, -100)


def _journal(vault: Vault, place: tuple[int, int], by: int) -> None:
    vault.read(
        "UPDATE journal_lines SET amount_minor = amount_minor + :by"
        " WHERE position = :position AND line = :line",
        by=by,
        position=place[0],
        line=place[1],
    )


def journal_lost(vault: Vault) -> None:
    """All journal lines of one fact are deleted."""
    vault.read(
        "DELETE FROM journal_lines WHERE position = (SELECT max(position) FROM journal_lines)"
    )


def message_swallowed(vault: Vault) -> None:
    """The relay is told that it has published a message that it has not."""
    position = vault.rows()[-1].position
    vault.read("INSERT INTO positions (follower, position) VALUES ('relay', :p)", p=position)
    vault.read(
        "INSERT INTO message_sequences (loan_id, sequence, hash, stream_sequence, state_sequence)"
        " VALUES ('L-0', 1, '', 1, 1)"
    )
