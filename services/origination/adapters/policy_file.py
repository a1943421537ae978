"""Read the dated rows that origination decides by; a wrong row is named when the service starts."""

from __future__ import annotations

from pathlib import Path

import msgspec

from services.origination.domain.products import Policies


def read_policies(path: Path) -> Policies:
    """
    Read rows from a TOML file.

    Raises:
        msgspec.ValidationError: naming the row and field that is wrong.
    """
    return msgspec.toml.decode(path.read_bytes(), type=Policies, strict=True)
