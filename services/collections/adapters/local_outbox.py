"""A channel that writes each message to a file: real enough to read, and safe to repeat."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
    undefined=StrictUndefined,
    autoescape=False,
)


@dataclass(frozen=True, slots=True)
class LocalOutbox:
    """Writes one JSON file per message; the same message again is the same file."""

    folder: Path

    def send(self, name: str, template: str, language: str, words: dict[str, object]) -> Path:
        """
        Render a message and put it out.

        Args:
            name: Names the message; the same name is sent once.
            template: Such as "grace"; rendered from templates/<language>/.
            language: "zh" or "en".
            words: What the template says.
        """
        text = _TEMPLATES.get_template(f"{language}/{template}.txt").render(words)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.json"
        message = {"name": name, "language": language, "text": text, **words}
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(message, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(draft, path)
        return path
