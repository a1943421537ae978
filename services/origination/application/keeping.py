"""What is stored with an application: its notice, its texts, its securities' room, its message."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

import msgspec
from google.protobuf.message import Message as Proto

from services.origination.application.engaging import let_go
from services.origination.application.holding import Held
from services.origination.application.writing import Written, adverse_action
from services.origination.domain.application import Application
from services.origination.domain.state_machine import ALLOWED, Status
from shared.runtime.records import Work

HEADERS = {"ce-type": "lending.origination.v1.ApplicationChanged"}
Told = Callable[[Application], tuple[str, Proto]]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it was shown, kept under its hash."""

    application_id: str
    kind: str
    sha256: str
    zh: str
    en: str
    at: datetime
    borrower_ref: str = ""


def shown_id(application_id: str, kind: str, sha256: str) -> str:
    """Return under which id a shown document is kept."""
    return f"{application_id}/{kind}/{sha256[:16]}"


async def show(
    work: Work, application: Application, kind: str, text: Written, at: datetime
) -> None:
    """Keep a document as it was shown; its id names its text, so it is written once."""
    shown = Shown(
        application_id=application.application_id,
        kind=kind,
        sha256=text.sha256,
        zh=text.zh,
        en=text.en,
        at=at,
        borrower_ref=application.borrower_ref,
    )
    await work.put(shown, shown_id(application.application_id, kind, text.sha256))


async def keep(
    held: Held[Application], application: Application, told: Told, at: datetime
) -> Application:
    """Store an application with what follows from its status, and owe the message about it."""
    work, name, status = held.work, application.application_id, str(application.status)
    assert name == held.record_id, "an application is written by who holds it"
    countered = bool(application.asked_decision_json) and not application.notice_sha256
    if application.status is Status.DECLINED or countered:
        text = adverse_action(application)
        await show(work, application, "ADVERSE_ACTION", text, at)
        application = msgspec.structs.replace(application, notice_sha256=text.sha256)
    if not ALLOWED[application.status]:
        await let_go(work, list(application.guarantees), name)
        # Nobody submits the form any more, and it may name people who are not known by reference.
        application = msgspec.structs.replace(application, draft_json="")
    await held.put(application, status)
    subject, body = told(application)
    marks = hashlib.sha256(body.SerializeToString(deterministic=True)).hexdigest()[:12]
    headers = {**HEADERS, "ce-subject": name}
    await work.owe(subject, f"origination/{name}/{status}/{marks}", body, headers)
    return application
