"""Print who may call each method: `python -m deploy.security.roles FILE`; exit code 1 on a gap."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf import descriptor_pool

from shared.runtime.roles import Roles, matches, read_roles

PROTOS = Path(__file__).parents[2] / "protos"


def methods() -> Iterator[str]:
    """Yield every method of every service, such as /lending.risk.v1.RiskService/GetExposure."""
    for file in sorted(PROTOS.glob("lending/*/v1/*.proto")):
        name = file.relative_to(PROTOS).with_suffix("")
        importlib.import_module(f"{'.'.join(name.parts)}_pb2")
        described = descriptor_pool.Default().FindFileByName(f"{name.as_posix()}.proto")
        for service in described.services_by_name.values():
            for method in service.methods:
                yield f"/{service.full_name}/{method.name}"


def unknown(roles: Roles) -> list[str]:
    """Return the patterns of a role file that fit no method: most likely misspelt."""
    known = list(methods())
    patterns = [*roles.four_eyes]
    for role in roles.roles.values():
        patterns += [*role.may, *role.vouches]
    return [text for text in patterns if not any(matches((text,), name) for name in known)]


def main(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Print, for each method, the roles and the callers that may call it."""
    roles, gaps = read_roles(file), 0
    for method in methods():
        names = roles.who_may(method)
        people = [who for who, held in roles.callers.items() if roles.may(held, method)]
        eyes = " [four eyes]" if matches(roles.four_eyes, method) else ""
        print(f"{method}{eyes}: {', '.join(names) or 'NOBODY'}; {', '.join(people) or 'no caller'}")
        gaps += not names
    for text in unknown(roles):
        print(f"{text}: no such method")
        gaps += 1
    raise typer.Exit(1 if gaps else 0)


if __name__ == "__main__":
    typer.run(main)
