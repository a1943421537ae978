"""Speak to witnesses over HTTP (C2SP tlog-witness)."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request

from services.ledger.application.witnessing import WitnessKnown
from shared.audit.cosignatures import COSIGNATURE
from shared.audit.notes import parsed_key

ANSWER_SECONDS, ANSWER_BYTES_MAX = 5.0, 16 * 1024


async def post(url: str, what: str, body: bytes) -> tuple[int, str]:
    """Return a witness's status and text; status 0 and why, when it does not answer."""
    return await asyncio.to_thread(_post, f"{url.rstrip('/')}/{what}", body)


def _post(url: str, body: bytes) -> tuple[int, str]:
    request = urllib.request.Request(url, data=body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return answer.status, answer.read(ANSWER_BYTES_MAX).decode(errors="replace")
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read(ANSWER_BYTES_MAX).decode(errors="replace")
    except (OSError, ValueError) as failure:
        return 0, str(failure)


def witnesses_of(setting: str) -> list[WitnessKnown]:
    """
    Read the setting: pairs of address and verifier key, all divided by blanks.

    Raises:
        CheckpointInvalid: a key is none of a witness.
        ValueError: an address has no key.
    """
    words = setting.split()
    if len(words) % 2:
        raise ValueError("LEDGER_WITNESSES: every address needs a verifier key")
    pairs = zip(words[::2], words[1::2], strict=True)
    found = [WitnessKnown(url, verifier) for url, verifier in pairs]
    for one in found:
        parsed_key(one.verifier, COSIGNATURE)
    return found
