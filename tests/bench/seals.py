"""Seal a million events and prove some of them: `make seals`, into build/seals.json."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from time import perf_counter, process_time
from typing import Annotated

import typer
from rich.console import Console

from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.seals import Seals
from services.ledger.application.ports import Logged
from services.ledger.application.proving import Prover
from services.ledger.application.sealing import Sealer
from shared.audit.checkpoints import load_signer, read_checkpoint
from shared.audit.merkle import consistent, included, leaf_hash
from shared.runtime.database import open_database
from tests.oracles import sumdb
from tests.shared.audit.test_sumdb import asked
from tests.system.processes import ROOT

STATE = json.dumps({"loan_id": "L-0", "amount_minor": 112_000, "reason": "x" * 350}).encode()


class Million:
    """A log of as many events as are asked for, made up as they are read."""

    def __init__(self, size: int) -> None:
        self.size = size

    def log(self, after: int, limit: int) -> list[Logged]:
        last = min(self.size, after + limit)
        return [self.row(position) for position in range(after + 1, last + 1)]

    def row(self, position: int) -> Logged:
        stream, version = divmod(position - 1, 40)
        topic = "lending.ledger.RepaymentPosted"
        return Logged(position, f"loan/L-{stream}", version + 1, topic, STATE)

    def stored(self, originator_id: str, version: int) -> Sequence[Logged]:
        first = 40 * int(originator_id.removeprefix("loan/L-")) + 1
        return [self.row(first + version - 1)._replace(position=0)]


async def measured(folder: Path, size: int, proofs: int, console: Console) -> dict[str, float]:
    models = ReadModels(open_database(f"sqlite+aiosqlite:///{folder}/read.db"))
    await models.create()
    log, seals = Million(size), Seals(models.engine)
    signer = load_signer("duebook.bench/ledger", folder / "signing.key")
    sealer = Sealer(log, seals, signer, lambda: datetime.now(UTC))
    await sealer.begin()
    pages: list[float] = []
    started, worked = perf_counter(), process_time()
    while True:
        before = perf_counter()
        if not await sealer.step():
            break
        pages.append(perf_counter() - before)
    seconds, worked = perf_counter() - started, process_time() - worked
    console.log(f"{size:,} events sealed in {seconds:.1f} s, {len(pages)} signed checkpoints")
    prover = Prover(log, seals, lambda: None)
    times, questions = await _proofs(prover, size, proofs, signer.verifier)
    await models.engine.dispose()
    cut, work = (quantiles(column, n=100) for column in zip(*times, strict=True))
    found = {
        "leaves": size,
        "appended_per_second": round(size / seconds),
        "appended_per_cpu_second": round(size / worked),
        "page_of_2000_ms_p99": round(1e3 * quantiles(pages, n=100)[98], 1),
        "proof_ms_p50": round(1e3 * cut[49], 2),
        "proof_ms_p99": round(1e3 * cut[98], 2),
        "proof_cpu_ms_p50": round(1e3 * work[49], 2),
        "proof_cpu_ms_p99": round(1e3 * work[98], 2),
        "hashes_in_a_proof_max": max(len(q["Path"]) for q in questions),
    }
    program = sumdb(folder)
    if program is not None:
        answers = asked(program, questions)
        found["accepted_by_go_sumdb"] = answers.count("yes")
        assert set(answers) == {"yes"}
    return found


async def _proofs(
    prover: Prover, size: int, count: int, verifier: str
) -> tuple[list[tuple[float, float]], list[dict]]:
    chance, times, questions = random.Random(7), [], []
    last = await prover.checkpoint()
    said = read_checkpoint(last.note, verifier)
    for _ in range(count):
        stream, version = divmod(chance.randrange(size), 40)
        started, worked = perf_counter(), process_time()
        proof = await prover.event(f"L-{stream}", version + 1)
        times.append((perf_counter() - started, process_time() - worked))
        assert included(proof.number, size, leaf_hash(proof.leaf), proof.path, said.root)
        head = {"Kind": "record", "Path": proof.path, "Size": size, "Root": said.root}
        questions.append({**head, "Number": proof.number, "Leaf": proof.leaf})
    for _ in range(50):
        first = 2000 * chance.randrange(1, size // 2000)
        old = read_checkpoint((await prover.checkpoint(first)).note, verifier)
        path = await prover.consistency(first, size)
        assert consistent(first, size, old.root, said.root, path)
        head = {"Kind": "tree", "Path": path, "Size": size, "Root": said.root}
        questions.append({**head, "Number": first, "Hash": old.root})
    return times, questions


def main(
    leaves: Annotated[int, typer.Option(help="Events to seal.")] = 1_000_000,
    proofs: Annotated[int, typer.Option(help="Events to prove, drawn from a fixed seed.")] = 2_000,
) -> None:
    """Measure sealing and proving on a SQLite file, through the ledger's own sealer and prover."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="duebook-seals-") as folder:
        found = asyncio.run(measured(Path(folder), leaves, proofs, console))
        found["bytes_per_leaf"] = round((Path(folder) / "read.db").stat().st_size / leaves)
    for name, value in found.items():
        console.print(f"{name:24} {value:,}")
    (ROOT / "build" / "seals.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(main)
