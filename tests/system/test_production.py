"""The production profile, as processes: it starts only secured, and buf curl meets the door."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from tests.shared.runtime.secured import Secured
from tests.system.processes import BUF, ROOT, Service, free_port

SERVICES = ("ledger", "origination", "risk", "collections")


@pytest.mark.parametrize("service", SERVICES)
def test_production_without_certificates_does_not_start(service: str, tmp_path: Path) -> None:
    """One line says what is missing, and the exit code is 2."""
    prefix, secured = service.upper(), Secured.make(tmp_path / "certs")
    environment = secured.environment(prefix, f"service/{service}")
    without = {name: value for name, value in environment.items() if "_TLS_" not in name}

    text = started(service, tmp_path, without)

    assert f"the production profile needs {service.upper()}_TLS_CA_FILE" in text


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("LEDGER_ROLES_FILE", "LEDGER_ROLES_FILE is not set"),
        ("LEDGER_TLS_KEY_FILE", "LEDGER_TLS_KEY_FILE is not set"),
        ("LEDGER_TLS_CA_FILE", "LEDGER_TLS_CA_FILE is not set"),
        ("LEDGER_LOG_LEVEL", "LEDGER_NATS_URL is nats://localhost:1"),
    ],
)
def test_half_of_the_files_is_not_enough(tmp_path: Path, gone: str, said: str) -> None:
    """Certificates without roles, or a certificate without its key: the missing one is named."""
    secured = Secured.make(tmp_path / "certs")
    environment = secured.environment("LEDGER", "service/ledger")
    environment["LEDGER_NATS_URL"] = "nats://localhost:1"
    environment.pop(gone, None)

    assert said in started("ledger", tmp_path, environment)


def test_personal_data_is_not_stored_in_the_clear_in_production(tmp_path: Path) -> None:
    """Origination does not start without the key that seals it."""
    secured = Secured.make(tmp_path / "certs")
    environment = secured.environment("ORIGINATION", "service/origination")
    environment["ORIGINATION_NATS_URL"] = secured.nats_url(1, "service/origination")
    del environment["ORIGINATION_PERSONAL_KEY_FILE"]

    said = started("origination", tmp_path, environment)

    assert "the production profile needs ORIGINATION_PERSONAL_KEY_FILE" in said


def test_roles_that_cannot_be_read_do_not_start(tmp_path: Path) -> None:
    """A role that does not exist is named, at the start and not at the first call."""
    secured = Secured.make(tmp_path / "certs", '"person/li" = ["king"]')

    text = started(
        "ledger",
        tmp_path,
        {
            **secured.environment("LEDGER", "service/ledger"),
            "LEDGER_NATS_URL": secured.nats_url(1, "service/ledger"),
        },
    )

    assert "person/li has role 'king', which is not in [roles]" in text


def started(service: str, folder: Path, environment: dict[str, str]) -> str:
    """Start a service that must refuse to; return what it said."""
    own = {
        f"{service.upper()}_GRPC_PORT": str(free_port()),
        f"{service.upper()}_METRICS_PORT": "0",
        f"{service.upper()}_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/{service}.db",
    }
    done = subprocess.run(
        [sys.executable, "-m", f"services.{service}"],
        cwd=ROOT,
        env={**os.environ, **own, **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2, done.stderr[-2000:]
    return done.stderr


def curl(port: int, secured: Secured, whose: str | None, method: str, **body: Any) -> Any:
    """Call with buf curl, with somebody's certificate or with none; return code and text."""
    command = [str(BUF), "curl", "--protocol", "grpc", "--cacert", f"{secured.folder}/ca.pem"]
    if whose:
        secured.tls(whose)
        stem = f"{secured.folder}/{whose.replace('/', '-')}"
        command += ["--cert", f"{stem}.pem", "--key", f"{stem}-key.pem"]
    else:
        # Reflection is behind the same door.
        command += ["--schema", str(ROOT / "protos")]
    url = f"https://localhost:{port}/{method}"
    done = subprocess.run(
        [*command, "-d", json.dumps(body), url], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout or done.stderr


def denied(text: str) -> tuple[str, str, str]:
    """Return code, reason and the roles that may, of a refusal as buf curl prints it."""
    found = json.loads(text)
    value = next(one["value"] for one in found["details"] if one["type"].endswith("ErrorInfo"))
    info = ErrorInfo.FromString(base64.b64decode(value + "=="))
    return found["code"], info.reason, info.metadata["roles"]


def test_buf_curl_meets_the_door(tmp_path: Path) -> None:
    """With a certificate and a role, an answer; without either, a refusal with its reason."""
    secured = Secured.make(tmp_path / "certs", '"person/li" = ["reader"]')
    port = free_port()
    environment = {
        "LEDGER_GRPC_PORT": str(port),
        "LEDGER_METRICS_PORT": "0",
        "LEDGER_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/ledger.db",
        "LEDGER_NATS_URL": secured.nats_url(free_port(), "service/ledger"),
        **secured.environment("LEDGER", "service/ledger"),
    }
    ledger = Service("ledger", port, environment, tmp_path / "ledger.log")
    ledger.start()
    ask = "lending.ledger.v1.LedgerService/GetBusinessDate"
    close = "lending.ledger.v1.LedgerService/AdvanceBusinessDate"
    try:
        told = curl(port, secured, "person/li", ask)
        refused = curl(port, secured, "person/li", close, requestId="day-1", to="2026-01-05")
        stranger = curl(port, secured, "person/who", ask)
        nobody = curl(port, secured, None, ask)
        health = curl(port, secured, "person/who", "grpc.health.v1.Health/Check")
    finally:
        ledger.stop()

    assert told == (0, "{}\n")
    assert denied(refused[1]) == ("permission_denied", "CALLER_MAY_NOT", "end_of_day")
    assert denied(stranger[1])[:2] == ("permission_denied", "CALLER_MAY_NOT")
    # The server hangs up in the handshake: buf sees that before its request has gone, or after.
    assert nobody[0] != 0 and json.loads(nobody[1])["code"] in ("unavailable", "canceled")
    assert health[0] == 0 and "SERVING" in health[1]
