"""A channel that writes each message to a file: real enough to read or print, safe to repeat."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from services.collections.domain.message import Letter
from services.collections.domain.permit import Permit


@dataclass(frozen=True, slots=True)
class LocalOutbox:
    """Writes one JSON file per message; the same message again is the same file."""

    folder: Path
    repeatable: bool = True
    needs_address: bool = False

    async def send(self, permit: Permit, letter: Letter) -> str:
        """Put a letter out; return its file's name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{letter.name}.json"
        attempt = permit.attempt
        message = {
            **letter._asdict(),
            "loan_id": attempt.loan_id,
            "channel": attempt.channel,
            "at": attempt.at.isoformat(),
            "rules": permit.rules_version,
        }
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(message, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(draft, path)
        return path.name
