"""The log changes its key: old checkpoints keep verifying, and either key leads to the other."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from lending.ledger.v1 import audit_service_pb2 as pb

from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.seals import Seals
from services.ledger.application.evidencing import Pack
from services.ledger.application.key_rotation import rotate, rotations
from services.ledger.application.sealing import Sealer
from services.ledger.domain.book_events import SigningKeyRotated
from services.ledger.wire_audit import answer_bytes
from shared.audit.checkpoints import Signer, load_signer, read_checkpoint
from shared.audit.notes import CheckpointInvalid
from shared.audit.packing import PackInvalid
from shared.audit.rotations import rotation_text, trusted_keys
from shared.audit.verify_pack import verify
from shared.runtime.database import open_database
from tests.services.ledger.test_evidence import pack_of
from tests.tamper.vault import ORIGIN, Vault, live, new_vault


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return new_vault(tmp_path / "vault")


def key_of(vault: Vault) -> Signer:
    return load_signer(ORIGIN, vault.folder / "signing.key")


def rotated(vault: Vault) -> SigningKeyRotated:
    """Change the key of a vault's log."""
    store = open_event_store(vault.log_url)
    path, now = vault.folder / "signing.key", datetime.now(UTC)
    done = rotate(store, path, ORIGIN, now=now, reason="yearly")
    store.close()
    return done


async def resume(vault: Vault, sealer_key: Signer) -> list[str]:
    """Let a sealer go on that began with a key; return the notes that it wrote."""
    store, engine = open_event_store(vault.log_url), open_database(vault.read_url)
    seals = Seals(engine)
    before = len(await seals.all_checkpoints())
    sealer = Sealer(
        store, seals, sealer_key, lambda: datetime.now(UTC), reload=lambda: key_of(vault)
    )
    await sealer.begin()
    while await sealer.step():
        pass
    fresh = [one.note for one in await seals.all_checkpoints()][before:]
    store.close()
    await engine.dispose()
    return fresh


def test_a_running_sealer_changes_its_key_where_the_log_says_so(vault: Vault) -> None:
    """Both keys sign the checkpoint that ends with the change, the new one what follows."""
    old = key_of(vault)
    event = rotated(vault)
    asyncio.run(live(vault, lambda book: book.repay("L-1", 100)))

    changing, later = asyncio.run(resume(vault, old))

    assert (event.verifier_before, event.verifier_after) == (old.verifier, key_of(vault).verifier)
    assert read_checkpoint(changing, old.verifier) == read_checkpoint(
        changing, event.verifier_after
    )
    assert read_checkpoint(later, event.verifier_after)
    with pytest.raises(CheckpointInvalid):
        read_checkpoint(later, old.verifier)
    assert not any(vault.check().values())


def test_a_sealer_that_was_away_goes_on_after_two_changes(vault: Vault) -> None:
    """Down during both, or started again after both: everything is sealed, and verifies."""
    old = key_of(vault)
    rotated(vault)
    asyncio.run(live(vault, lambda book: book.repay("L-1", 100)))
    last = rotated(vault).verifier_after

    notes = asyncio.run(resume(vault, old))

    assert read_checkpoint(notes[-1], last).size == len(vault.rows())
    assert not any(vault.check().values())
    rotated(vault)
    newest = rotated(vault).verifier_after
    notes = asyncio.run(resume(vault, key_of(vault)))
    assert read_checkpoint(notes[-1], newest).size == len(vault.rows())
    assert not any(vault.check().values())


def test_a_sealer_waits_for_the_new_key(vault: Vault) -> None:
    """The file is still the old one: what comes before is sealed, then it waits for the new one."""
    old, path = key_of(vault), vault.folder / "signing.key"
    secret = path.read_text()
    asyncio.run(live(vault, lambda book: book.repay("L-1", 100)))
    before = len(vault.rows())
    rotated(vault)
    path.rename(path.with_name("signing.key.next"))
    path.write_text(secret)

    notes = asyncio.run(resume(vault, old))
    assert read_checkpoint(notes[-1], old.verifier).size == before

    newest = rotated(vault).verifier_after
    notes = asyncio.run(resume(vault, old))
    assert read_checkpoint(notes[-1], newest).size == before + 1


def test_evidence_is_checked_with_either_key(vault: Vault, tmp_path: Path) -> None:
    """Of before the change and of after it, with the key that an auditor has; no other's."""
    old = key_of(vault)
    size = pack_of(vault).sealed.size
    new = rotated(vault).verifier_after
    asyncio.run(resume(vault, old))
    stranger = load_signer(ORIGIN, tmp_path / "stranger.key").verifier

    for pack in (pack_of(vault, size=size), pack_of(vault, on=date(2026, 7, 10))):
        for key in (old.verifier, new):
            verify(pack.data, key)
        with pytest.raises(PackInvalid):
            verify(pack.data, stranger)


def test_evidence_that_was_read_stays_the_same_answer(vault: Vault) -> None:
    """After a change of key, of the same checkpoint; of another loan or date it is another."""
    old, size = key_of(vault), pack_of(vault).sealed.size
    before = answered(pack_of(vault, size=size))
    rotated(vault)
    asyncio.run(resume(vault, old))

    again = pack_of(vault, size=size)

    assert again.data != before
    assert answered(again) == before
    assert answered(pack_of(vault, "L-0", size=size)) != before
    assert answered(pack_of(vault, on=date(2026, 4, 19), size=size)) != before


def answered(pack: Pack) -> bytes:
    """Return what is recorded of an answer that carried a pack."""
    return answer_bytes(pb.EvidencePack(pack=pack.data, sha256=pack.sha256))


def test_a_change_that_was_cut_short_is_finished(vault: Vault) -> None:
    """The log says so, and the new secret is not in its place yet: the same command ends it."""
    path = vault.folder / "signing.key"
    secret = path.read_text()
    first = rotated(vault)
    path.rename(path.with_name("signing.key.next"))
    path.write_text(secret)

    second = rotated(vault)

    store = open_event_store(vault.log_url)
    assert second == first
    assert len(rotations(store)) == 1
    assert key_of(vault).verifier == first.verifier_after
    store.close()


def test_only_both_keys_make_a_statement(vault: Vault, tmp_path: Path) -> None:
    """One signature, or a stranger's, leads nowhere; two changes lead from first to last."""
    one, two, three = (load_signer(ORIGIN, tmp_path / f"{k}.key") for k in range(3))

    def said(before: Signer, after: Signer, *signers: Signer) -> str:
        text = rotation_text(before.verifier, after.verifier)
        return f"{text}\n" + "".join(signer.line(text) for signer in signers)

    chain = [said(one, two, one, two), said(two, three, two, three)]
    assert trusted_keys(one.verifier, chain) == [one.verifier, two.verifier, three.verifier]
    assert set(trusted_keys(three.verifier, reversed(chain))) == set(
        trusted_keys(one.verifier, chain)
    )
    for forged in (said(one, two, one), said(one, two, two), said(one, two, one, three)):
        with pytest.raises(CheckpointInvalid):
            trusted_keys(one.verifier, [forged])
