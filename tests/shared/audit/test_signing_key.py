"""The secret of the log: made once, whole, for its owner alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared.audit.checkpoints import load_signer


def test_many_who_start_at_once_use_one_key(tmp_path: Path) -> None:
    """Whoever is first wins; nobody reads half a secret."""
    path = tmp_path / "keys" / "signing.key"
    with ThreadPoolExecutor(16) as threads:
        signers = list(threads.map(lambda _: load_signer("log", path), range(200)))

    assert len({signer.public for signer in signers}) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["signing.key"]
