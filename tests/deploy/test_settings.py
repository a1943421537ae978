"""Every port of a local run is a setting, and one that is taken is named."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from deploy.local.settings import PORTS, DataOfAnotherVersion, PortInUse, Settings
from services.ledger.config import LedgerSettings
from shared.audit.checkpoints import load_signer


@pytest.mark.parametrize("name", PORTS)
def test_a_taken_port_names_its_setting(name: str, tmp_path: Path) -> None:
    """The error says which variable to set."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(tmp_path, {name: taken.getsockname()[1]})

        with pytest.raises(PortInUse, match=f"set DUEBOOK_PORT_{name.upper()}"):
            settings.check_ports()


def test_data_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """The message says what to do; a new folder is stamped, and is fine the next time."""
    settings = Settings(tmp_path / "new", PORTS)
    settings.check_data()
    settings.check_data()

    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "ledger.db").write_bytes(b"")
    with pytest.raises(DataOfAnotherVersion, match="DUEBOOK_DATA"):
        Settings(tmp_path / "old", PORTS).check_data()


def test_who_follows_the_stream_gets_the_ledgers_key(tmp_path: Path) -> None:
    """The key lies where the ledger of the run looks for its own, which it signs with."""
    settings = Settings(tmp_path, PORTS)
    ledger = LedgerSettings(database_url=settings.environment("ledger")["LEDGER_DATABASE_URL"])

    (name, key), *_ = settings.verifying("risk").items()

    assert name == "RISK_LEDGER_VERIFIER_KEYS"
    assert key == load_signer(ledger.log_origin, ledger.signing_key_path()).verifier
    assert settings.verifying("risk") == {name: key}
