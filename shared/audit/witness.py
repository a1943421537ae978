"""
A witness: cosigns a log's checkpoint only if the log still begins with the last one it saw.

    python -m shared.audit.witness --name auditor.example --state FOLDER --log VERIFIER_KEY

Speaks C2SP tlog-witness: POST /add-checkpoint; and POST /add-rotation, with the statement by which
a log changes its key, signed by both: from then on the new key counts and the old one does not.
After a theft of a key, start the witness with the new one and without the log's .rotations. Run it
where the ledger's keeper cannot write: the folder holds the witness's key, and of each log the last
checkpoint and the changes of its key.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from shared.audit.checkpoints import (
    Signer,
    load_signer,
    read_checkpoint,
    sync_folder,
    verified,
)
from shared.audit.cosignatures import COSIGNATURE, cosigned_message
from shared.audit.merkle import consistent
from shared.audit.notes import (
    SIGNED_BY,
    Checkpoint,
    CheckpointInvalid,
    checkpoint_of,
    key_id,
    parsed_key,
    signatures,
    verifier_key,
)
from shared.audit.rotations import rotation_of

BODY_BYTES_MAX = 64 * 1024
HASHES_MAX = 63


class Answer(NamedTuple):
    """An HTTP status, its text, and the type of the text."""

    status: int
    text: str
    kind: str = "text/plain; charset=utf-8"


class Asked(NamedTuple):
    """What a log asks: the size that the witness saw last, the proof from there, the note."""

    old: int
    path: list[bytes]
    note: str


def asked(body: bytes) -> Asked:
    """
    Read the body of a request.

    Raises:
        ValueError: it is none.
    """
    head, blank, note = body.decode().partition("\n\n")
    first, *rest = head.split("\n")
    word, _, old = first.partition(" ")
    if not blank or word != "old" or not old.isdigit() or str(int(old)) != old:
        raise ValueError("the first line is not: old SIZE")
    path = [base64.b64decode(line, validate=True) for line in rest]
    if len(path) > HASHES_MAX or any(len(step) != 32 for step in path):
        raise ValueError("the proof is not one")
    return Asked(int(old), path, note)


@dataclass(slots=True)
class Witness:
    """Remembers the last checkpoint of each log that it knows, and cosigns what continues it."""

    signer: Signer
    folder: Path
    logs: dict[str, Sequence[str]]
    now: Callable[[], float] = time.time
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def verifier(self) -> str:
        """The key by which others check the cosignatures."""
        return verifier_key(self.signer.name, self.signer.public, COSIGNATURE)

    def add(self, body: bytes) -> Answer:
        """Cosign a checkpoint, or say why not; what was cosigned is on disk before it is said."""
        try:
            question = asked(body)
            said = checkpoint_of(signatures(question.note)[0])
        except (ValueError, CheckpointInvalid) as failure:
            return Answer(400, f"{failure}\n")
        if said.origin not in self.logs:
            return Answer(404, "this log is not known here\n")
        if not any(_signed(question.note, key) for key in self.keys(said.origin)):
            return Answer(403, "the log did not sign this\n")
        with self.turn:
            return self._consider(question, said)

    def _consider(self, question: Asked, said: Checkpoint) -> Answer:
        if question.old > said.size:
            return Answer(400, "the log does not shrink\n")
        last = self.last(said.origin)
        if question.old != last.size:
            return Answer(409, f"{last.size}\n", "text/x.tlog.size")
        if last.size == said.size and last.root != said.root:
            return Answer(409, f"{last.size}\n", "text/x.tlog.size")
        if last.size and not consistent(last.size, said.size, last.root, said.root, question.path):
            return Answer(422, "the log does not begin with what was seen before\n")
        if not last.size and question.path:
            return Answer(422, "nothing was seen before: there is nothing to prove\n")
        self._remember(said, question.note)
        return Answer(200, self._line(said.text))

    def rotate(self, body: bytes) -> Answer:
        """Take a log's new key in the place of one that counts, where both signed that."""
        try:
            note = body.decode()
            before, after = rotation_of(note, verified)
            origin, same = (parsed_key(key)[0] for key in (before, after))
        except (ValueError, CheckpointInvalid) as failure:
            return Answer(400, f"{failure}\n")
        if origin != same:
            return Answer(400, "the keys are of two logs\n")
        with self.turn:
            if after in self.keys(origin):
                return Answer(200, f"{after}\n")
            if before not in self.keys(origin):
                return Answer(403, "the key before does not count here\n")
            statements = [*self._rotations(origin), note]
            _write(self._path(origin, ".rotations"), json.dumps(statements))
        return Answer(200, f"{after}\n")

    def keys(self, origin: str) -> list[str]:
        """Return the keys of a log that count: those given, as changed since."""
        found = [key.strip() for key in self.logs.get(origin, ())]
        for note in self._rotations(origin):
            before, after = rotation_of(note, verified)
            if before in found:
                found = [key for key in found if key not in (before, after)] + [after]
        return found

    def _rotations(self, origin: str) -> list[str]:
        path = self._path(origin, ".rotations")
        return json.loads(path.read_text("utf-8")) if path.exists() else []

    def last(self, origin: str) -> Checkpoint:
        """Return the last checkpoint of a log that was cosigned; size 0 when none was."""
        path = self._path(origin)
        if not path.exists():
            return Checkpoint(origin, 0, b"")
        return checkpoint_of(signatures(path.read_text("utf-8"))[0])

    def _path(self, origin: str, kind: str = ".checkpoint") -> Path:
        return self.folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}{kind}"

    def _remember(self, said: Checkpoint, note: str) -> None:
        _write(self._path(said.origin), note)

    def _line(self, text: str) -> str:
        seen_at = int(self.now())
        signature = self.signer.key.sign(cosigned_message(text, seen_at))
        key = key_id(self.signer.name, self.signer.public, COSIGNATURE)
        encoded = base64.b64encode(key + seen_at.to_bytes(8) + signature).decode()
        return f"{SIGNED_BY}{self.signer.name} {encoded}\n"


def _write(path: Path, text: str) -> None:
    """Put a text in its place, whole and on disk, or not at all."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def _signed(note: str, verifier: str) -> bool:
    try:
        read_checkpoint(note, verifier)
    except CheckpointInvalid:
        return False
    return True


def server(witness: Witness, host: str, port: int) -> ThreadingHTTPServer:
    """Return an HTTP server that answers for a witness; call serve_forever."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            answer = {"/add-checkpoint": witness.add, "/add-rotation": witness.rotate}
            if self.path not in answer:
                self._say(Answer(404, "POST /add-checkpoint\n"))
            elif not 0 < length <= BODY_BYTES_MAX:
                self._say(Answer(413, "the body is too large, or empty\n"))
            else:
                self._say(answer[self.path](self.rfile.read(length)))

        def _say(self, answer: Answer) -> None:
            body = answer.text.encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            print(self.address_string(), format % args, flush=True)

    return ThreadingHTTPServer((host, port), Handler)


def open_witness(name: str, folder: Path, logs: Sequence[str]) -> Witness:
    """
    Return the witness whose key and memory are in a folder; new ones where there are none.

    Raises:
        CheckpointInvalid: one of the logs' keys is none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known: dict[str, list[str]] = {}
    for key in logs:
        known.setdefault(parsed_key(key)[0], []).append(key)
    return Witness(load_signer(name, folder / "witness.key"), folder, known)


def main() -> int:
    """Serve until stopped; print the key by which others check the cosignatures."""
    parser = argparse.ArgumentParser(
        prog="python -m shared.audit.witness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--name", required=True, help="the witness's name in its cosignatures")
    parser.add_argument("--state", required=True, type=Path, help="folder of key and memory")
    parser.add_argument(
        "--log", required=True, action="append", help="verifier key of a log; may be given again"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", default=7302, type=int)
    given = parser.parse_args()
    try:
        witness = open_witness(given.name, given.state, given.log)
    except CheckpointInvalid as failure:
        parser.error(f"--log: {failure}")
    print(f"witness {witness.verifier} on {given.host}:{given.port}", flush=True)
    server(witness, given.host, given.port).serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
