"""What was looked at as bytes: the same facts, the same bytes, whatever fields came later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


def encoded(record: msgspec.Struct, later: Mapping[str, Any]) -> bytes:
    """
    Return a record as JSON, in order of its fields' names.

    Args:
        record: What was looked at, or was looked at by.
        later: Fields that records did not have from the first version on, each with what it says
            when it says nothing; it is then left out, so that older digests stay.
    """
    fields = msgspec.to_builtins(record)
    kept = {k: v for k, v in fields.items() if k not in later or v != later[k]}
    return msgspec.json.encode(kept, order="sorted")
