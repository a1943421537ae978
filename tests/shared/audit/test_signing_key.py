"""The secret of the log: made once, whole, for its owner alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.audit.checkpoints import load_signer


def test_many_who_start_at_once_use_one_key(tmp_path: Path) -> None:
    """Whoever is first wins; nobody reads half a secret."""
    path = tmp_path / "keys" / "signing.key"
    with ThreadPoolExecutor(16) as threads:
        signers = list(threads.map(lambda _: load_signer("log", path), range(200)))

    assert len({signer.public for signer in signers}) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["signing.key"]


@pytest.mark.parametrize("left", [b"", b"\n", b"\0" * 45], ids=["empty", "a line", "zeros"])
def test_a_file_that_a_loss_of_power_left_empty_is_no_key(tmp_path: Path, left: bytes) -> None:
    """However many start at once, they use one new key; what is no key is not overwritten."""
    path = tmp_path / "signing.key"
    path.write_bytes(left)
    with ThreadPoolExecutor(16) as threads:
        signers = list(threads.map(lambda _: load_signer("log", path), range(100)))

    assert {signer.public for signer in signers} == {load_signer("log", path).public}
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("bm90IGEga2V5")
    with pytest.raises(ValueError, match="32 bytes"):
        load_signer("log", path)
    assert path.read_text() == "bm90IGEga2V5"
