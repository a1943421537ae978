"""The container files are checked without a container engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def check(*command: str) -> None:
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_is_clean() -> None:
    """hadolint finds nothing in the Dockerfile."""
    check("hadolint", "deploy/Dockerfile")


def test_the_compose_file_follows_its_schema() -> None:
    """The compose file is valid under the compose specification."""
    check("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml")
