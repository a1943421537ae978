"""What the program is made of, as CycloneDX reads it, from the file that pins it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ; ([^\\]+))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def bill_of_materials(lock: str, name: str) -> dict[str, Any]:
    """
    Return a CycloneDX 1.5 bill of materials.

    Args:
        lock: Pinned requirements with hashes, as pip reads them.
        name: The program's name.
    Returns:
        The same for the same lock: no time, no serial number. Hashes and markers are properties.
    Raises:
        ValueError: a line is neither a pin nor a hash.
    """
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": name}},
        "components": list(_components(lock)),
    }


def _components(lock: str) -> Iterator[dict[str, Any]]:
    for text in lock.replace("\\\n", " ").splitlines():
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        pin = _PIN.match(line)
        if pin is None:
            raise ValueError(f"not a pin: {line[:60]}")
        name, version, marker = pin[1].lower(), pin[2], (pin[3] or "").partition("--")[0].strip()
        component: dict[str, Any] = {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{re.sub(r'[-_.]+', '-', name)}@{version}",
            "bom-ref": f"{name}@{version}",
            "properties": [
                {"name": "pip:hash:sha256", "value": digest} for digest in _HASH.findall(line)
            ],
        }
        if marker:
            component["properties"].append({"name": "pip:marker", "value": marker})
        yield component
