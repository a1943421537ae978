"""Did the log only grow since an auditor was here? Asked of a running ledger, checked here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from lending.ledger.v1 import audit_service_pb2 as pb

from services.ledger.entrypoints.audit_cli import Server, app, ask
from services.ledger.entrypoints.forms import AsElse, write
from shared.audit.checkpoints import Checkpoint, CheckpointInvalid, read_checkpoint, verified
from shared.audit.merkle import consistent
from shared.audit.rotations import trusted_keys
from shared.kernel.errors import LendingError

KEYS_MAX = 1_000


class NotGrown(Exception):
    """The log is not the one that was seen, or cannot show that it is."""


@app.command()
def grew(
    kept: Annotated[Path, typer.Argument(help="The signed checkpoint that you kept.")],
    key: Annotated[str, typer.Argument(help="The verifier key that you were given elsewhere.")],
    output: Annotated[Path | None, typer.Option(help="Where to keep today's checkpoint.")] = None,
    form: AsElse = None,
    server: Server = "",
) -> None:
    """
    Check that today's log begins with the log of a checkpoint that you kept.

    Exit code 0: it only grew; 1: it cannot be shown; 2: bad usage.
    """
    try:
        old, new, note = ask(server, lambda stub: _grown(stub, kept.read_text("utf-8"), key))
    except OSError as failure:
        print(f"{kept}: {failure}", file=sys.stderr)
        raise typer.Exit(2) from None
    except (CheckpointInvalid, NotGrown) as failure:
        print(f"NOT PROVEN: {failure}", file=sys.stderr)
        raise typer.Exit(1) from None
    if output is not None:
        output.write_text(note, "utf-8")
    if form is not None:
        return write(form, ("proven", "events", "seen before"), [("PROVEN", new.size, old.size)])
    print(f"PROVEN: {new.size} events, of which the first {old.size} are those you saw")


async def trusted(stub: Any, key: str) -> Checkpoint:
    """
    Return the last checkpoint, signed with a key or with one that the log made of it.

    Raises:
        CheckpointInvalid: it is not.
    """
    note = (await stub.GetCheckpoint(pb.GetCheckpointRequest())).note
    keys = [key]
    if not _signed(note, key):
        keys = trusted_keys(key, await _statements(stub), verified)
    return _read(note, keys)


async def _grown(stub: Any, kept: str, key: str) -> tuple[Checkpoint, Checkpoint, str]:
    answer = await stub.GetCheckpoint(pb.GetCheckpointRequest())
    keys = [key]
    if not _signed(answer.note, key) or not _signed(kept, key):
        keys = trusted_keys(key, await _statements(stub), verified)
    old, new = _read(kept, keys), _read(answer.note, keys)
    if new.size < old.size:
        raise NotGrown(f"the log has {new.size} events, you saw {old.size}")
    asked = pb.ProveConsistencyRequest(first_size=old.size, second_size=new.size)
    path = list((await stub.ProveConsistency(asked)).path)
    if not consistent(old.size, new.size, old.root, new.root, path):
        raise NotGrown(f"the first {old.size} of {new.size} events are not those you saw")
    return old, new, answer.note


def _signed(note: str, key: str) -> bool:
    try:
        read_checkpoint(note, key)
    except CheckpointInvalid:
        return False
    return True


def _read(note: str, keys: list[str]) -> Checkpoint:
    known = next((key for key in keys if _signed(note, key)), keys[0])
    return read_checkpoint(note, known)


async def _statements(stub: Any) -> list[str]:
    """Return every statement about a change of key that the log has, oldest first."""
    found: list[str] = []
    for version in range(1, KEYS_MAX):
        try:
            asked = pb.ProveEventRequest(stream="signing-key", version=version)
            proof = await stub.ProveEvent(asked)
        except LendingError:
            break
        found.append(json.loads(proof.leaf.partition(b"\n")[2])["statement"])
    return found
