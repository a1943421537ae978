"""E-mail over SMTP: nothing was accepted, it was, or nobody can know; each is told apart."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP

from services.collections.application.ports import ChannelAway, ChannelRefused, ChannelUncertain
from services.collections.domain.message import Letter
from services.collections.domain.permit import Permit

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class SmtpChannel:
    """
    Sends by one SMTP server.

    SMTP cannot be asked whether it has a message: one whose end was not seen is not repeated.
    """

    host: str
    port: int
    sender: str
    starttls: bool = False
    user: str = ""
    password: str = ""
    repeatable: bool = False
    needs_address: bool = True

    async def send(self, permit: Permit, letter: Letter) -> str:
        """Send an e-mail; its Message-ID is the message's name."""
        return await asyncio.to_thread(self._send, letter)

    def _send(self, letter: Letter) -> str:
        try:
            mail = self._mail(letter)
        except (ValueError, UnicodeError) as wrong:
            raise ChannelRefused(f"no mail can be made of it: {wrong}") from None
        try:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        except (OSError, smtplib.SMTPException) as failure:
            raise ChannelAway(f"no connection: {failure}") from None
        try:
            self._greet(server)
            _taken(server.mail(self.sender))
            _accepted(server.rcpt(letter.to))
            self._hand_over(server, mail)
        except (smtplib.SMTPException, OSError) as failure:
            raise ChannelAway(f"not accepted: {failure}") from None
        finally:
            server.close()
        return str(mail["Message-ID"])

    def _greet(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if self.starttls:
            server.starttls(context=ssl.create_default_context())
        if self.user:
            server.login(self.user, self.password)

    def _hand_over(self, server: smtplib.SMTP, mail: EmailMessage) -> None:
        """Send the content; from here on a lost connection leaves us not knowing."""
        try:
            answer = server.data(mail.as_bytes(policy=SMTP))
        except smtplib.SMTPDataError as refused:
            answer = (refused.smtp_code, bytes(refused.smtp_error))
        except (smtplib.SMTPException, OSError) as lost:
            raise ChannelUncertain(f"connection lost after the content: {lost}") from None
        _accepted(answer)

    def _mail(self, letter: Letter) -> EmailMessage:
        mail = EmailMessage()
        domain = self.sender.partition("@")[2]
        mail["Message-ID"] = f"<{letter.name}@{domain}>"
        mail["From"], mail["To"], mail["Subject"] = self.sender, letter.to, letter.subject
        mail["Content-Language"] = letter.language
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(letter.text)
        return mail


def _taken(answer: tuple[int, bytes]) -> None:
    """Let 2xx pass; who does not take us as sender says nothing about this message."""
    if not 200 <= answer[0] < 300:
        raise ChannelAway(f"{answer[0]} {answer[1].decode('ascii', 'replace')[:150]}")


def _accepted(answer: tuple[int, bytes]) -> None:
    """Let 2xx pass; 5xx is for good, the rest may pass later."""
    code, text = answer
    said = f"{code} {text.decode('ascii', 'replace')[:150]}"
    if 500 <= code < 600:
        raise ChannelRefused(said)
    if not 200 <= code < 300:
        raise ChannelAway(said)
