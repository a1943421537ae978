"""Letters from templates, in Chinese and English, with what the law wants in each of them."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from services.collections.domain.message import Letter
from shared.kernel.errors import LendingError

TEMPLATES = Path(__file__).parents[1] / "templates"


class TemplateIncomplete(LendingError):
    """A letter lacks something that every letter must say."""


class Templates:
    """Renders templates/<language>/<name>.txt; the first line is the subject."""

    def __init__(self, creditor: str, folder: Path = TEMPLATES) -> None:
        self.creditor, self.folder = creditor, folder
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
        )
        required = tomllib.loads((folder / "required.toml").read_text("utf-8"))
        self._required: dict[str, list[str]] = {one: required[one] for one in ("zh", "en")}
        self._of: dict[str, dict[str, list[str]]] = required["of"]

    def letter(
        self, name: str, template: str, language: str, to: str, words: dict[str, object]
    ) -> Letter:
        """
        Render a letter.

        Raises:
            TemplateIncomplete: required.toml names something that the letter does not say, or there
            is no such template.
        """
        try:
            return self._letter(name, template, language, to, words)
        except TemplateError as wrong:
            raise TemplateIncomplete(f"{language}/{template}: {wrong}") from None

    def _letter(
        self, name: str, template: str, language: str, to: str, words: dict[str, object]
    ) -> Letter:
        said = {**words, "creditor": self.creditor}
        path = f"{language}/{template}.txt"
        text = self._environment.get_template(path).render(said)
        footer = self._environment.get_template(f"{language}/footer.txt").render(said)
        subject, _, body = text.partition("\n")
        whole = f"{body.strip()}\n\n{footer.strip()}\n"
        for piece in (*self._required[language], *self._of.get(template, {}).get(language, ())):
            wanted = self._environment.from_string(piece).render(said)
            if wanted not in whole:
                raise TemplateIncomplete(f"{path} does not say {wanted!r}")
        source = (self.folder / path).read_bytes() + footer.encode()
        wording = f"{path}@{hashlib.sha256(source).hexdigest()[:12]}"
        return Letter(name, to, language, wording, subject.strip(), whole)
