"""Where a model comes from: enough to train it again and to see that it is the same."""

from __future__ import annotations

import msgspec


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a model was trained on, and what was kept from it."""

    data: str
    source: str
    licence: str
    sha256: str
    applications: int
    bads: int
    left_out: tuple[str, ...]
