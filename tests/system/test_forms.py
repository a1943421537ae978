"""What auditors are answered as a table, as JSON and as CSV: the same rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.ledger.entrypoints.cli import app
from services.ledger.entrypoints.forms import leaves
from tests.system.test_ledger_process import tell
from tests.tamper.vault import ORIGIN, Vault, copied, new_vault

Rows = list[list[str]]
EDGES = "five_tier:0=NORMAL,1=SPECIAL_MENTION,40=SUBSTANDARD"

# Fields that differ each time a ledger is asked, since each question is a record of its own.
EACH_TIME = ("readId", "read_id")

OF_A_LEDGER = [
    # arguments                                                              | answered as rows
    (("checkpoint", "--size", "{size}"), False),
    (("key",), True),
    (("prove", "L-1", "2", "--size", "{size}"), False),
    (("evidence", "L-1", "--size", "{size}", "--output", "{folder}/e.zip"), False),
    (("why", "L-1"), False),
    (("repeat", "{read}"), False),
    (("suppose", "L-1", "--day-count", "ACT_360", "--edges", EDGES, "--known-at", "{now}"), True),
    (("grew", "{kept}", "{key}"), True),
    (("events", "--loan", "L-1", "--bodies"), True),
    (("compare", "--known-at", "2020-01-01T00:00:00Z", "--then-known", "{now}"), True),
    (("compare", "--known-at", "2020-01-01T00:00:00Z", "--then-known", "{now}", "--loans"), True),
    (("kinds",), True),
]
OF_A_BOOK = [
    ("book", "suppose", "2026-04-20", "--grace-days", "30"),
    ("book", "compare", "2026-03-05", "--known", "2020-01-01T00:00:00Z", "--then-on", "2026-04-20"),
    ("book", "test", "--seed", "dice"),
    ("book", "evidence", "2026-01-05", "2026-02-28", "--output", "{folder}/p.zip", "--nonce", "w"),
    ("replay", "--processes", "1"),
    ("rebuild",),
    ("export", "{folder}/out", "--parquet"),
]


def three_forms(ask: Callable[[str], str], *, as_rows: bool) -> tuple[Rows, Rows, Rows]:
    """Return the rows of an answer as table, JSON and CSV, each cell as a text without commas."""
    said = json.loads(ask("json"))
    if as_rows:
        parsed = [list(said[0]), *(list(row.values()) for row in said)]
    else:
        parsed = [["field", "value"], *map(list, leaves(said))]
    sheets = (_table(ask("table")), parsed, list(csv.reader(io.StringIO(ask("csv")))))
    return tuple(_same_each_time(rows) for rows in sheets)


def _table(text: str) -> Rows:
    """Read a table as it is printed, its columns parted by lines."""
    rows = []
    for line in text.splitlines():
        if line.startswith(("│", "┃")):
            rows.append([cell.strip() for cell in line[1:-1].replace("┃", "│").split("│")])
    return rows


def _same_each_time(rows: Rows) -> Rows:
    plain = [[_plain(cell) for cell in row] for row in rows]
    return [row for row in plain if not row[0].endswith(EACH_TIME)]


def _plain(cell: Any) -> str:
    return " ".join(str(cell).replace(",", "").split())


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("forms") / "original")


@pytest.mark.parametrize("desk", ["sqlite"], indirect=True)
def test_what_a_ledger_answers_has_three_forms(desk, tmp_path: Path) -> None:
    """Every command of `audit`: the rows are the same, their order too."""
    tell(desk)
    server = ["--server", f"127.0.0.1:{desk.ledger.port}"]

    def answer(arguments: tuple[str, ...], form: str) -> str:
        known = [text.format(**given) if "{" in text else text for text in arguments]
        to = [] if arguments == ("kinds",) else server
        result = CliRunner().invoke(app, ["audit", *known, "--as", form, *to])
        assert result.exit_code == 0, (arguments, form, result.stderr)
        return result.stdout

    given = {"folder": tmp_path, "kept": tmp_path / "kept.txt", "now": "2026-12-31T00:00:00Z"}
    signed = json.loads(answer(("checkpoint",), "json"))
    given |= {"size": signed["size"], "key": signed["verifier"]}
    given["kept"].write_text(signed["note"])
    given["read"] = json.loads(answer(("why", "L-1"), "json"))["readId"]
    for arguments, as_rows in OF_A_LEDGER:
        asked = lambda form, arguments=arguments: answer(arguments, form)  # noqa: E731
        table, parsed, listed = three_forms(asked, as_rows=as_rows)
        if arguments[0] == "grew":
            # By the next question the log has grown again: how long it is now is left out.
            answers = (table, parsed, listed)
            table, parsed, listed = ([[row[0], row[2]] for row in rows] for rows in answers)
        assert table == parsed == listed, arguments
        assert len(listed) > 1


@pytest.mark.parametrize("arguments", OF_A_BOOK, ids=" ".join)
def test_what_is_found_in_a_book_has_three_forms(
    arguments: tuple[str, ...], vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of `book`, and the checks of the whole book."""
    copy = copied(vault, tmp_path / "copy")
    for name, value in copy.settings.model_dump(exclude_defaults=True).items():
        monkeypatch.setenv(f"LEDGER_{name.upper()}", str(value))
    assert copy.settings.log_origin == ORIGIN

    def answer(form: str) -> str:
        known = [text.format(folder=tmp_path) for text in arguments]
        result = CliRunner().invoke(app, [*known, "--as", form])
        assert result.exit_code == 0 or arguments[1] == "test", (form, result.stderr)
        return result.stdout

    table, parsed, listed = three_forms(answer, as_rows=True)
    assert table == parsed == listed
    assert len(listed) > 1
