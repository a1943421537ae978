"""Other people's programs that our tests ask, where they are: `make oracles` fetches them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from deploy.local.settings import FETCHED, fetched_hledger
from tests.system.processes import ROOT

MISSING = "is not here: make oracles fetches it where apt-get is"


def hledger() -> list[str] | None:
    """Return the command that runs hledger; None where it is not."""
    command = shlex.split(fetched_hledger())
    return command if shutil.which(command[0]) else None


def sumdb(folder: Path) -> Path | None:
    """Build the program that asks Go's sumdb packages; None where they are not."""
    root, sources = FETCHED / "usr" / "lib" / "go-1.19", FETCHED / "usr" / "share" / "gocode"
    if not (root / "bin" / "go").exists() or not sources.exists():
        return None
    environment = {
        **os.environ,
        "GOROOT": str(root.resolve()),
        "GOPATH": str(sources),
        "GO111MODULE": "off",
        "GOCACHE": str(FETCHED / "cache"),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    program = folder / "sumdb"
    source = ROOT / "tests" / "shared" / "audit" / "sumdb" / "main.go"
    command = [str(root / "bin" / "go"), "build", "-o", str(program), str(source)]
    subprocess.run(command, env=environment, cwd=folder, check=True, timeout=300)
    return program
