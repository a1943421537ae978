"""The evidence about a period: complete, the same bytes twice, every change of a byte named."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import random
import re
import subprocess
from collections import Counter
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from beancount import loader
from typer.testing import CliRunner

from services.ledger.application.period import PeriodNotClosed, PeriodNotSealed
from services.ledger.application.recorded_reads import ReadOfPeriod, RecordedReads
from services.ledger.compose_period import LOCK, SaidBy, pack_period
from services.ledger.entrypoints.cli import app
from shared.audit.checkpoints import CheckpointInvalid, load_signer
from shared.audit.locating import damage
from shared.audit.notes import signatures
from shared.audit.one_file import verifier_program
from shared.audit.packing import BLOCKS, MANIFEST, PERIOD_TITLE, PackInvalid, closed, unpacked
from shared.audit.verify_pack import verify
from tests.oracles import MISSING, hledger
from tests.services.ledger import test_evidence
from tests.services.ledger.book import Book, open_book
from tests.services.ledger.domain.lives import examples
from tests.services.ledger.test_evidence import Nesting, bare_python, key_of
from tests.tamper.vault import ORIGIN, Vault, copied, live, new_vault, sealed

FIRST = (date(2026, 1, 1), date(2026, 3, 31))
SECOND = (date(2026, 4, 1), date(2026, 6, 30))
resigned = partial(test_evidence.resigned, title=PERIOD_TITLE)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("period") / "original")


def pack_of(vault: Vault, period: tuple[date, date] = SECOND, **more: Any) -> bytes:
    """Pack a period of a vault's book."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "period.zip"
        taken = asyncio.run(pack_period(vault.settings, *period, path, **{"sample": 5, **more}))
        assert [*Path(folder).iterdir()] == [path]
        assert taken == (hashlib.sha256(path.read_bytes()).hexdigest(), key_of(vault))
        return path.read_bytes()


def table(pack: bytes, name: str) -> list[dict[str, str]]:
    """Return the rows of a table whose name begins so."""
    files = unpacked(pack)
    found = next(data for file, data in files.items() if file.startswith(name))
    return list(csv.DictReader(io.StringIO(found.decode())))


def test_a_bare_python_checks_it(vault: Vault, tmp_path: Path) -> None:
    """verify.py beside it or the zip itself; with the right key, not with another's."""
    (tmp_path / "pack.zip").write_bytes(pack_of(vault))
    (tmp_path / "verify.py").write_bytes(verifier_program())
    stranger = load_signer(ORIGIN, tmp_path / "another.key").verifier

    proven = bare_python("verify.py", "pack.zip", key_of(vault), folder=tmp_path)

    assert proven.returncode == 0, proven.stdout + proven.stderr
    assert "are all of the signed log" in proven.stdout
    assert bare_python("pack.zip", key_of(vault), folder=tmp_path).stdout == proven.stdout
    assert bare_python("verify.py", "pack.zip", stranger, folder=tmp_path).returncode == 1
    assert bare_python("verify.py", folder=tmp_path).returncode == 2


def test_two_folders_one_hash(vault: Vault, tmp_path: Path) -> None:
    """The same book elsewhere, with later events in one of them: the same bytes, Parquet too."""
    here, there = (copied(vault, tmp_path / name) for name in ("here", "there"))
    asyncio.run(live(there, lambda book: book.repay("L-1", 100)))
    asyncio.run(sealed(there))

    packs = {pack_of(copy, parquet=True) for copy in (here, there, there)}

    assert len(packs) == 1
    assert b"PAR1" in unpacked(packs.pop())["events.parquet"]


def test_every_changed_byte_is_named(vault: Vault) -> None:
    """In any file, signature, header or directory of the zip: its number, and what was there."""
    pack = pack_of(vault)
    chance = random.Random(20260630)
    directory, manifest = pack.index(b"PK\x01\x02"), unpacked(pack)[MANIFEST]
    begin, text = pack.rindex(manifest), manifest.rindex(b"\n\n")
    heads = [m.start() for m in re.finditer(b"PK\x03\x04", pack)]
    spots = [0, len(pack) - 1, *(begin + k for k in (3, 9, 30, text, text + 12))]
    spots += chance.sample(range(directory), examples(24))
    spots += chance.sample(range(directory, len(pack)), 16)
    spots += chance.sample(range(begin, begin + text), 8)
    spots += chance.sample(range(begin + text, begin + len(manifest)), 8)
    spots += [head + chance.randrange(34) for head in chance.sample(heads, 12)]

    for at in spots:
        changed = bytearray(pack)
        changed[at] ^= 1 << chance.randrange(8)
        said = str(damage(bytes(changed)))
        assert f" {at} of the zip" in said or said.startswith(f"byte {at} is not"), (at, said)
        with pytest.raises(PackInvalid, match=re.escape(said)):
            verify(bytes(changed), key_of(vault))


def test_a_signature_of_somebody_else_is_named(vault: Vault, tmp_path: Path) -> None:
    """The pack is whole, and another key signed it: the place of the signature is said."""
    stranger = load_signer(ORIGIN, tmp_path / "another.key")
    files = {k: v for k, v in unpacked(pack_of(vault)).items() if k not in (MANIFEST, BLOCKS)}
    text = signatures(files["checkpoint.txt"].decode())[0]
    forged = closed(files, PERIOD_TITLE, text, stranger.sign_text)

    assert damage(forged) is None
    with pytest.raises(PackInvalid, match=r"did not sign this: MANIFEST\.txt line [0-9]+"):
        verify(forged, key_of(vault))


def test_packs_follow_on_each_other(vault: Vault, tmp_path: Path) -> None:
    """One ends as the next begins, and the log of the first is the beginning of the second's."""
    first = pack_of(vault, FIRST)
    kept = unpacked(first)["checkpoint.txt"].decode()

    second = pack_of(vault, last=kept)

    ended = {r["account"]: r["ending_minor"] for r in table(first, "balances")}
    began = {r["account"]: r["beginning_minor"] for r in table(second, "balances")}
    assert {k: v for k, v in ended.items() if v != "0"} == {
        k: v for k, v in began.items() if v != "0"
    }
    assert len(json.loads(unpacked(second)["consistency.json"])) == 2
    verify(second, key_of(vault))
    forged = resigned(vault, {**unpacked(second), "checkpoint-last-pack.txt": kept.encode()[:-9]})
    with pytest.raises(PackInvalid):
        verify(forged, key_of(vault))
    stranger = load_signer(ORIGIN, tmp_path / "another.key")
    with pytest.raises(CheckpointInvalid):
        pack_of(vault, last=stranger.sign_text(signatures(kept)[0]))


def test_beancount_and_hledger_agree(vault: Vault, tmp_path: Path) -> None:
    """No error in the period's journals, whose assertions are the balances at its end."""
    files = unpacked(pack_of(vault))
    for name in ("journal.beancount", "journal.hledger"):
        (tmp_path / name).write_bytes(files[name])

    assert loader.load_file(str(tmp_path / "journal.beancount"))[1] == []
    assert b"balance Assets:Cash" in files["journal.beancount"]
    command = hledger()
    if command is None:
        pytest.skip(f"hledger {MISSING}")
    asked = [*command, "-f", str(tmp_path / "journal.hledger"), "check", "--strict"]
    assert subprocess.run(asked, capture_output=True).returncode == 0


def test_the_standard_tables_are_the_journal(vault: Vault) -> None:
    """Debits are credits in each journal; who entered it, when; what reverses what."""
    pack = pack_of(vault, (FIRST[0], SECOND[1]))
    sides: Counter[str] = Counter()
    lines = table(pack, "GL_Detail")
    for row in lines:
        sign = 1 if row["Amount_Credit_Debit_Indicator"] == "D" else -1
        sides[row["Journal_ID"]] += sign * round(float(row["Amount"]) * 100)
    reversal = next(row for row in lines if row["Reversal_Indicator"])
    reversed_ = [r for r in lines if r["Journal_ID"] == reversal["Reversal_Journal_ID"]]

    assert not any(sides.values())
    assert {r["JE_Header_Description"] for r in reversed_} == {"RepaymentPosted"}
    assert all(row["Entered_By"] and row["Entered_Date"] for row in lines)
    assert {r["GL_Account_Number"] for r in lines} <= {
        r["GL_Account_Number"] for r in table(pack, "Chart_Of_Accounts")
    }


def test_flags_and_sample_are_of_the_period(vault: Vault, tmp_path: Path) -> None:
    """Money posted twice is flagged in the period in which it was; the sample moves by its seed."""
    copy = copied(vault, tmp_path / "twice")
    days = [date(2026, 7, day) for day in (11, 12, 13)]

    async def twice(book: Book) -> None:
        for day in days:
            await book.go_to(day)
            for _ in range(2 if day == days[0] else 0):
                await book.repay("L-1", 777)

    asyncio.run(live(copy, twice))
    asyncio.run(sealed(copy))
    found, later = (pack_of(copy, (day, day)) for day in days[:2])
    samples = [table(pack_of(copy, nonce=f"drand {number}"), "sample") for number in range(6)]

    flagged = [(row["test"], row["loan_id"]) for row in table(found, "entry-tests")]
    assert flagged == [("same_money_twice", "L-1")]
    assert table(later, "entry-tests") == []
    # Of so few events two seeds draw the same now and then; six never all do.
    assert any(sample != samples[0] for sample in samples)
    for pack in (found, later):
        verify(pack, key_of(copy))


def test_the_seed_is_the_root_and_the_auditors_nonce(vault: Vault) -> None:
    """The keeper cannot know it; where nobody gave a nonce, page and check say that they could."""
    given, none = pack_of(vault, nonce="seven <dice>"), pack_of(vault)
    root = signatures(unpacked(given)["checkpoint.txt"].decode())[0].splitlines()[2]

    seeds = [json.loads(unpacked(pack)["period.json"])["seed"] for pack in (given, none)]
    assert seeds == [f"{root} seven <dice>", root]
    assert pack_of(vault, nonce="seven <dice>") == given
    assert "nonce of an auditor: seven &lt;dice&gt;." in unpacked(given)["report.html"].decode()
    assert "Seed known to the keeper" in unpacked(none)["report.html"].decode()
    said = [[step.name for step in verify(pack, key_of(vault))][-1] for pack in (given, none)]
    assert "nonce 'seven <dice>'" in said[0] and "a seed known to the keeper" in said[1]


def test_the_page_and_the_bill_of_materials(vault: Vault) -> None:
    """Well-formed, nothing from elsewhere; every pin of the lock file once, with its hashes."""
    files = unpacked(pack_of(vault))
    parser = Nesting()
    parser.feed(files["report.html"].decode())
    bill = json.loads(files["sbom.cdx.json"])
    pins = re.findall(r"^([^ =]+)==([^ \\]+)", LOCK.read_text(), re.MULTILINE)

    assert parser.open == parser.wrong == []
    assert "svg" in parser.seen and not {"script", "link", "img", "iframe"} & parser.seen
    assert "http" not in files["report.html"].decode()
    assert [(c["name"], c["version"]) for c in bill["components"]] == [
        (name.lower(), version) for name, version in pins
    ]
    assert all(c["properties"] for c in bill["components"])


def test_a_period_that_is_not_closed_or_not_as_sealed_is_refused(
    vault: Vault, tmp_path: Path
) -> None:
    """Today's date, dates the wrong way round, an edited event, a log without its seals."""
    for period in ((date(2026, 4, 1), date(2026, 7, 10)), SECOND[::-1]):
        with pytest.raises(PeriodNotClosed):
            pack_of(vault, period)
    edited, unsealed = (copied(vault, tmp_path / name) for name in ("edited", "unsealed"))
    row = edited.rows("loan/L-0", "RepaymentPosted")[-1]
    edited.write(row, row.state.replace(b'"reason":""', b'"reason":"x"'))
    unsealed.read("DELETE FROM checkpoints")
    for copy in (edited, unsealed):
        with pytest.raises(PeriodNotSealed):
            pack_of(copy, (FIRST[0], SECOND[1]))


def test_a_running_ledger_does_not_answer_a_period_again(vault: Vault, tmp_path: Path) -> None:
    """It says what was asked and what hash it had: the command makes the pack again."""
    copy = copied(vault, tmp_path / "copy")
    pack = pack_of(copy, said_by=SaidBy("Chen", "yearly audit"))
    read = json.loads(copy.rows("read/%")[-1].state)

    async def find() -> None:
        async with open_book(copy.folder) as book:
            reads = RecordedReads(book.writer, lambda: datetime.now(UTC), lambda: "x")
            await reads.find(read["read_id"])

    with pytest.raises(ReadOfPeriod, match=hashlib.sha256(pack).hexdigest()):
        asyncio.run(find())


def test_the_command(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes the pack and verify.py, and records who took it, its seed and its hash."""
    copy = copied(vault, tmp_path / "copy")
    for name, value in copy.settings.model_dump().items():
        if name in ("database_url", "read_database_url", "log_origin", "signing_key_file"):
            monkeypatch.setenv(f"LEDGER_{name.upper()}", str(value))
    monkeypatch.setenv("DUEBOOK_READER", "Chen")
    asked = ["book", "evidence", "2026-04-01", "2026-06-30", "--output", str(tmp_path / "p.zip")]
    asked += ["--nonce", "dice"]

    done = CliRunner().invoke(app, asked)
    asyncio.run(sealed(copy))

    assert done.exit_code == 0, done.output
    pack = (tmp_path / "p.zip").read_bytes()
    assert pack == pack_of(copy, sample=25, nonce="dice")
    command = done.output.splitlines()[-1].removeprefix("check it with: python3 -I ").split()
    checked = bare_python(*(word.strip("'") for word in command), folder=tmp_path)
    assert checked.returncode == 0, checked.stdout
    read = json.loads(copy.rows("read/%")[-1].state)
    assert (read["method"], read["reader"]) == ("ExportPeriod", "Chen")
    assert read["answer_sha256"] == hashlib.sha256(pack).hexdigest()
    kept, said = json.loads(read["request_json"]), json.loads(unpacked(pack)["period.json"])
    assert [kept[k] for k in ("seed", "nonce")] == [said["seed"], "dice"]
    assert not any(copy.check().values())
    assert CliRunner().invoke(app, ["book", "evidence", "2026-04-01", "2027-01-01"]).exit_code == 2
