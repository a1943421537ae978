"""Every port of a local run is a setting, and one that is taken is named."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from deploy.local.settings import PORTS, PortInUse, Settings


@pytest.mark.parametrize("name", PORTS)
def test_a_taken_port_names_its_setting(name: str, tmp_path: Path) -> None:
    """The error says which variable to set."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(tmp_path, {name: taken.getsockname()[1]})

        with pytest.raises(PortInUse, match=f"set DUEBOOK_PORT_{name.upper()}"):
            settings.check_ports()
