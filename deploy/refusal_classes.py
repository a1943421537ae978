"""
Write the client's error classes, `protos/lending/refusals.py`: `make setup` calls this.

One class per reason that any service can answer with; the services' own classes are the source.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import services
import shared
from shared.kernel import errors

TARGET = Path(__file__).parents[1] / "protos" / "lending" / "refusals.py"
_CLIENT = ("shared.client", "lending.")
KINDS = (
    errors.NotFound,
    errors.InvalidArgument,
    errors.Refused,
    errors.NotAuthenticated,
    errors.NotPermitted,
    errors.Conflict,
    errors.Unavailable,
    errors.Exhausted,
)
HEAD = '''"""
One class per reason: what a service answers when it does not do what was asked.

Written by `make setup` from the services' own classes; not to be edited.
"""

from __future__ import annotations

from shared.kernel import errors
'''
TAIL = '''

BY_REASON: dict[str, type[errors.LendingError]] = {
    kind.reason: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, errors.LendingError)
}
"""The class of each reason."""
'''


def refusals() -> dict[str, type[errors.LendingError]]:
    """Return every refusal of every service by its reason, in order of reason."""
    for package in (services, shared):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__") and "shared.client" not in module.name:
                importlib.import_module(module.name)
    found: dict[str, type[errors.LendingError]] = {}
    waiting = list(KINDS)
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind not in KINDS and not kind.__module__.startswith(_CLIENT):
            found[kind.reason] = kind
    return dict(sorted(found.items()))


def text() -> str:
    """Return the module of error classes."""
    return HEAD + "".join(map(_class, refusals().values())) + TAIL


def _class(kind: type[errors.LendingError]) -> str:
    base = next(k for k in kind.__mro__ if k in KINDS)
    said = " ".join((kind.__doc__ or "").split()).replace('"', "'") or f"Reason {kind.reason}."
    own = [] if kind.retry == base.retry else [f"    retry = {kind.retry}"]
    lines = [f"class {kind.__name__}(errors.{base.__name__}):", f'    """{said}"""']
    if own:
        lines += ["", *own]
    return "\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
