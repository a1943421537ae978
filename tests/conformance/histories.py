"""Checkpoints of a log that grows, of another that forked from it, and of a stranger."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.audit import merkle
from shared.audit.checkpoints import Checkpoint, Signer
from shared.runtime.streams import CHECKPOINT
from shared.subscriber.chain import Place
from shared.subscriber.checkpoints import LANE
from tests.conformance.loans import Lane
from tests.conformance.messages import Sent

ORIGIN, CASE = "kit/ledger", "a fork of the log, by its checkpoints"
COMMON, SIZES, FORKED_SIZE, STRANGE_SIZE = 5, (3, 5, 8, 13), 21, 15


@dataclass
class History:
    """A log of numbered leaves; `leaves` begins with those that it shares with another."""

    leaves: list[bytes]
    nodes: dict[merkle.Node, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        hashes = map(merkle.leaf_hash, self.leaves)
        self.nodes = dict(merkle.grown(0, hashes, self.nodes.__getitem__))

    def told(self, signer: Signer, size: int, before: int) -> Sent:
        """Return the checkpoint of a size as the relay tells it behind another; 0 for none."""
        get = self.nodes.__getitem__
        note = signer.sign(Checkpoint(signer.name, size, merkle.root(size, get)))
        proof = merkle.consistency(before, size, get)
        encoded = " ".join(base64.b64encode(one).decode() for one in proof)
        headers = {"ce-size": str(size), "ce-previoussize": str(before), "ce-consistency": encoded}
        return Sent(CHECKPOINT, note.encode(), headers, Place())


def new_signer() -> Signer:
    """Return a ledger's key that nobody had before."""
    return Signer(ORIGIN, Ed25519PrivateKey.generate())


def checkpoints(signer: Signer) -> Lane:
    """
    Return the checkpoints of a log that grows, with what nobody may believe among them.

    The fork is of the same key and proves itself; only what was seen before gives it away. The
    honest log goes on behind it, and tells its last one again, as a relay does that starts.
    """
    leaves = [f"leaf {k}".encode() for k in range(FORKED_SIZE)]
    honest = History(leaves)
    forked = History([*leaves[:COMMON], *(b"other " + leaf for leaf in leaves[COMMON:])])
    grows = [
        honest.told(signer, size, before) for before, size in zip((0, *SIZES), SIZES, strict=False)
    ]
    sent = [
        *grows[:3],
        forked.told(signer, FORKED_SIZE, SIZES[2]),
        honest.told(new_signer(), STRANGE_SIZE, 0),
        grows[3],
        honest.told(signer, SIZES[3], 0),
    ]
    faults = {
        ("CHECKPOINT_FORKED", f"{LANE}/{FORKED_SIZE}"),
        ("CHECKPOINT_UNSIGNED", f"{LANE}/{STRANGE_SIZE}"),
    }
    return Lane(CASE, LANE, [], sent=sent, faults=faults, heard_first=0, exact=True)
