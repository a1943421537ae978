"""Style is a failing test: sizes, and what a pure domain must not say."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES_MAX, FUNCTION_LINES_MAX = 300, 40
BANNED_IN_DOMAIN = ("date.today(", "datetime.now(", "uuid4(", "float(", "random")
SOURCES = sorted(
    path
    for folder in ("services", "shared", "tests", "deploy")
    for path in (ROOT / folder).rglob("*.py")
    if "node_modules" not in path.parts
)


def test_files_are_short() -> None:
    """A file has at most 300 lines."""
    long = [str(p) for p in SOURCES if len(p.read_text().splitlines()) > FILE_LINES_MAX]

    assert long == []


def test_functions_are_short() -> None:
    """A function has at most 40 lines, its docstring not counted."""
    long = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                text = node.body[1:] if ast.get_docstring(node) else node.body
                first = text[0].lineno if text else node.lineno
                if node.end_lineno - first + 1 > FUNCTION_LINES_MAX:
                    long.append(f"{path}:{node.name}")

    assert long == []


def test_domains_have_no_clock_and_no_chance() -> None:
    """Time, ids and randomness are passed in."""
    said = [
        f"{path}: {word}"
        for path in SOURCES
        if "domain" in path.parts and "tests" not in path.parts
        for word in BANNED_IN_DOMAIN
        if word in path.read_text()
    ]

    assert said == []


def test_the_import_contract_names_every_wire_module() -> None:
    """A new module of how a service is asked is kept from its application layer as well."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    name = "What a service does not know is how it is asked"
    contract = next(one for one in rules["contracts"] if one["name"] == name)
    wires = {
        f"services.{path.parent.name}.{path.stem}" for path in ROOT.glob("services/*/wire*.py")
    }

    assert wires == set(contract["forbidden_modules"])
