"""SMS and voice by a carrier's webhook: signed, and with a key that makes repeating safe."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from services.collections.application.ports import ChannelAway, ChannelRefused, ChannelUncertain
from services.collections.domain.message import Letter
from services.collections.domain.permit import Permit

TIMEOUT_SECONDS = 20.0
OF_THIS_MESSAGE = (400, 410, 413, 422)
"""What a carrier says of one message; all else, such as a wrong secret, is about all of them."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nowhere: a message is posted where it was meant to go, or it is not sent."""

    def redirect_request(self, *asked: Any) -> None:
        """Return no other request."""


_OPENER = urllib.request.build_opener(_Stay)


def signature(secret: str, sent_at: str, body: bytes) -> str:
    """Return what proves body and time: hex HMAC-SHA256 over `<time>.<body>`."""
    return hmac.new(secret.encode(), sent_at.encode() + b"." + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    """
    Posts each message to a carrier.

    The carrier takes one message per Idempotency-Key and answers 2xx to a repeated one, so a post
    whose answer was lost is simply made again.
    """

    url: str
    secret: str
    repeatable: bool = True
    needs_address: bool = True

    async def send(self, permit: Permit, letter: Letter) -> str:
        """Post a message; return the carrier's reference."""
        return await asyncio.to_thread(self._send, permit, letter)

    def _send(self, permit: Permit, letter: Letter) -> str:
        content = {
            "name": letter.name,
            "channel": permit.attempt.channel,
            "to": letter.to,
            "language": letter.language,
            "text": letter.text,
        }
        body, sent_at = json.dumps(content, ensure_ascii=False).encode(), str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": letter.name,
            "Duebook-Time": sent_at,
            "Duebook-Signature": f"sha256={signature(self.secret, sent_at, body)}",
        }
        request = urllib.request.Request(self.url, body, headers, method="POST")
        try:
            with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.read(200).decode("utf-8", "replace").strip()
        except urllib.error.HTTPError as refused:
            if refused.code in OF_THIS_MESSAGE:
                raise ChannelRefused(f"{refused.code} {refused.reason}") from None
            raise ChannelAway(f"{refused.code} {refused.reason}") from None
        except urllib.error.URLError as failure:
            if isinstance(failure.reason, ConnectionRefusedError):
                raise ChannelAway(str(failure)) from None
            raise ChannelUncertain(str(failure)) from None
        except (OSError, http.client.HTTPException) as lost:
            raise ChannelUncertain(str(lost)) from None
