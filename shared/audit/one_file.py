"""The checking program as one file of Python: the modules of this folder, as they stand."""

from __future__ import annotations

from pathlib import Path

MODULES = (
    "ed25519",
    "notes",
    "merkle",
    "rotations",
    "evaluate",
    "payments",
    "packing",
    "locating",
    "steps",
    "approvals",
    "journals",
    "verify_books",
    "verify_approvals",
    "verify_loan",
    "verify_period",
    "verify_pack",
)
"""In the order in which they need each other."""

HEAD = '''\
#!/usr/bin/env python3
{doc}
# Made by shared/audit/one_file.py of the ledger's repository, whose modules follow as they stand.
import sys
import types


def module(name: str, source: str) -> types.ModuleType:
    """Make a module of the text that follows its name."""
    made = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, f"{{__file__}}:{{name}}", "exec"), made.__dict__)
    return made


for _name in ("shared", "shared.audit"):
    sys.modules[_name] = types.ModuleType(_name)
'''
TAIL = """
main, main_of_pack = verify_pack.main, verify_pack.main_of_pack

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
"""


def verifier_program() -> bytes:
    """Return verify.py; it needs nothing but Python's standard library."""
    folder = Path(__file__).parent
    sources = {name: (folder / f"{name}.py").read_text("utf-8") for name in MODULES}
    doc = sources["verify_pack"].split('"""')[1]
    parts = [HEAD.format(doc=f'"""{doc}"""')]
    for name, source in sources.items():
        assert "'''" not in source, "the modules are quoted with these"
        parts.append(
            f"\n{name} = sys.modules['shared.audit'].{name} = module("
            f"\n    'shared.audit.{name}',\n    r'''{source}''',\n)\n"
        )
    return ("".join(parts) + TAIL).encode()
