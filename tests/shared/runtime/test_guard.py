"""The door of an API: a real server, real certificates, a servicer that says who acts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from lending.collections.v1 import collections_service_pb2 as cases_pb
from lending.collections.v1 import collections_service_pb2_grpc as cases_grpc
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import ledger_service_pb2_grpc as ledger_grpc

from services.ledger.wire_approvals import HELD
from shared.kernel.errors import LendingError
from shared.runtime.grpc_client import open_channel
from shared.runtime.grpc_server import Edge
from shared.runtime.guard import Guard, methods_of
from shared.runtime.identity import actor, caller
from shared.runtime.roles import RoleBook, RolesNotValid, read_roles
from shared.runtime.tls import Tls
from tests.shared.runtime.secured import Secured

CALLERS = (
    '"person/li" = ["reader"]',
    '"person/chen" = ["collector"]',
    '"service/back-office" = ["gateway"]',
)


class Says(ledger_grpc.LedgerServiceServicer):
    """Answers who acts, in the date."""

    async def GetBusinessDate(self, request: Any, context: Any) -> pb.BusinessDate:
        known = caller()
        return pb.BusinessDate(on=f"{actor()} via {known.via if known else '?'}")

    async def PostRepayment(self, request: Any, context: Any) -> pb.PostRepaymentResponse:
        raise AssertionError("nobody in these tests may post")


class Proposes(cases_grpc.CollectionsServiceServicer):
    """Answers who proposed."""

    async def ProposeHardshipPlan(self, request: Any, context: Any) -> cases_pb.Case:
        return cases_pb.Case(loan_id=request.proposed_by)


@asynccontextmanager
async def served(secured: Secured) -> AsyncIterator[str]:
    guard = Guard(RoleBook(secured.folder / "roles.toml"))
    server = grpc.aio.server(interceptors=[Edge(), guard])
    ledger_grpc.add_LedgerServiceServicer_to_server(Says(), server)
    cases_grpc.add_CollectionsServiceServicer_to_server(Proposes(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    credentials = secured.tls("service/ledger").server()
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield f"localhost:{port}"
    await server.stop(0)


async def ask(target: str, tls: Tls, method: str = "GetBusinessDate", **metadata: str) -> Any:
    channel = open_channel(target, 5.0, tls)
    request = pb.PostRepaymentRequest() if method == "PostRepayment" else None
    stub: Any = ledger_grpc.LedgerServiceStub(channel)
    try:
        return await getattr(stub, method)(
            request or pb.GetBusinessDateRequest(),
            metadata=tuple((k.replace("_", "-"), v) for k, v in metadata.items()),
        )
    finally:
        await channel.close()


async def refusal(target: str, tls: Tls, method: str = "GetBusinessDate", **said: str) -> Any:
    with pytest.raises(LendingError) as refused:
        await ask(target, tls, method, **said)
    return refused.value


async def test_the_caller_is_whom_the_certificate_names(tmp_path: Path) -> None:
    """Who acts is read from the certificate, not from the request."""
    secured = Secured.make(tmp_path, *CALLERS)
    async with served(secured) as target:
        answer = await ask(target, secured.tls("person/li"))

        assert answer.on == "person/li via "


async def test_a_call_outside_ones_roles_is_refused_by_name(tmp_path: Path) -> None:
    """The refusal says which rpc, who asked, and which roles may."""
    secured = Secured.make(tmp_path, *CALLERS)
    async with served(secured) as target:
        refused = await refusal(target, secured.tls("person/li"), "PostRepayment")

        assert refused.reason == "CALLER_MAY_NOT"
        assert refused.facts["rpc"] == "/lending.ledger.v1.LedgerService/PostRepayment"
        assert refused.facts["identity"] == "person/li"
        assert {"payments", "servicer"} <= set(refused.facts["roles"].split(", "))
        assert "reader" not in refused.facts["roles"]


async def test_a_known_certificate_without_a_role_may_nothing(tmp_path: Path) -> None:
    """Whom the role file does not name gets nothing, even from our own authority."""
    secured = Secured.make(tmp_path, *CALLERS)
    async with served(secured) as target:
        assert (await refusal(target, secured.tls("person/who"))).reason == "CALLER_MAY_NOT"


async def test_a_certificate_of_another_trust_domain_is_nobody(tmp_path: Path) -> None:
    """The authority is believed about identities of its own domain only."""
    secured = Secured.make(tmp_path, *CALLERS)
    async with served(secured) as target:
        text = (tmp_path / "roles.toml").read_text()
        (tmp_path / "roles.toml").write_text(text.replace("duebook.example", "other.example"))
        os.utime(tmp_path / "roles.toml", ns=(1, 1))

        assert (await refusal(target, secured.tls("person/li"))).reason == "CALLER_UNKNOWN"


@pytest.mark.parametrize("whose", ["nobody", "another authority"])
async def test_without_a_certificate_of_ours_nobody_answers(tmp_path: Path, whose: str) -> None:
    """The connection itself fails: nothing of the API is shown."""
    secured = Secured.make(tmp_path / "ours", *CALLERS)
    other = Secured.make(tmp_path / "theirs").tls("person/li")
    async with served(secured) as target:
        ca = secured.tls("person/li").ca
        both = (other.key, other.certificate) if whose == "another authority" else (None, None)
        channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(ca, *both))
        stub = ledger_grpc.LedgerServiceStub(channel)

        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.GetBusinessDate(pb.GetBusinessDateRequest(), timeout=5)
        await channel.close()

        assert failed.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_gateway_states_its_person(tmp_path: Path) -> None:
    """What the person may is what counts, and both are known."""
    secured = Secured.make(tmp_path, *CALLERS)
    async with served(secured) as target:
        gateway = secured.tls("service/back-office")

        answer = await ask(target, gateway, x_duebook_person="li")
        alone = await refusal(target, gateway)

        assert answer.on == "person/li via service/back-office"
        assert alone.reason == "CALLER_MAY_NOT"


async def test_nobody_else_states_a_person(tmp_path: Path) -> None:
    """A person cannot call as another one."""
    secured = Secured.make(tmp_path, *CALLERS)
    async with served(secured) as target:
        refused = await refusal(target, secured.tls("person/chen"), x_duebook_person="li")

        assert refused.reason == "PERSON_NOT_STATABLE"


async def test_a_role_taken_away_is_gone_within_a_second(tmp_path: Path) -> None:
    """The role file is read again; one that cannot be read changes nothing."""
    secured = Secured.make(tmp_path, *CALLERS)
    file, tls = tmp_path / "roles.toml", secured.tls("person/li")
    async with served(secured) as target:
        before = file.read_text()
        await ask(target, tls)

        file.write_text("not TOML")
        await asyncio.sleep(1.1)
        broken = await ask(target, tls)
        file.write_text(before.replace('"person/li" = ["reader"]', ""))
        await asyncio.sleep(1.1)
        gone = await refusal(target, tls)

        assert broken.on == "person/li via "
        assert gone.reason == "CALLER_MAY_NOT"


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        ("", "person/chen"),
        ("person/chen", "person/chen"),
        ("person/li", "ACTOR_IS_NOT_CALLER"),
        ("chen", "ACTOR_IS_NOT_CALLER"),
    ],
)
async def test_who_acts_is_who_calls(tmp_path: Path, stated: str, kept: str) -> None:
    """A request that names nobody is filled in; one that names another is refused."""
    secured = Secured.make(tmp_path, *CALLERS)
    async with served(secured) as target:
        channel = open_channel(target, 5.0, secured.tls("person/chen"))
        stub: Any = cases_grpc.CollectionsServiceStub(channel)
        try:
            request = cases_pb.ProposeHardshipPlanRequest(proposed_by=stated)
            found = (await stub.ProposeHardshipPlan(request)).loan_id
        except LendingError as refused:
            found = refused.reason
        await channel.close()

        assert found == kept


async def test_the_roles_are_asked_before_the_request_is_read(tmp_path: Path) -> None:
    """Bytes that are no request: who may not call learns only that."""
    secured = Secured.make(tmp_path, *CALLERS)
    async with served(secured) as target:
        found = {}
        for who in ("person/li", "person/chen"):
            channel = open_channel(target, 5.0, secured.tls(who))
            method = "/lending.ledger.v1.LedgerService/GetBusinessDate"
            with pytest.raises(LendingError) as refused:
                await channel.unary_unary(method)(b"\xff\xff\xff")
            found[who] = refused.value.reason
            await channel.close()

        assert found == {"person/li": "REQUEST_NOT_READABLE", "person/chen": "CALLER_MAY_NOT"}


async def test_what_is_closed_is_closed_within_a_second(tmp_path: Path) -> None:
    """Methods for every certificate are read again too: taken away, and given back."""
    secured = Secured.make(tmp_path, *CALLERS)
    file, answers = tmp_path / "roles.toml", []
    before = file.read_text()
    closed = before.replace('"/grpc.health.v1.Health/*",', "")
    async with served(secured) as target:
        channel = open_channel(target, 5.0, secured.tls("person/who"))
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        for text in (before, closed, before):
            file.write_text(text)
            await asyncio.sleep(1.1)
            try:
                once = await stub.Check(request)
                assert once.status == health_pb2.HealthCheckResponse.SERVING
                answers.append("open")
            except LendingError as refused:
                answers.append(refused.reason)
            watching = stub.Watch(request)
            try:
                answers.append(str((await watching.read()).status))
            except LendingError as refused:
                answers.append(refused.reason)
            watching.cancel()
        await channel.close()

    assert answers == ["open", "1", "CALLER_MAY_NOT", "CALLER_MAY_NOT", "open", "1"]


def test_no_method_of_ours_is_open(tmp_path: Path) -> None:
    """What is open is asked by nobody's name: a ledger that anybody could post to."""
    secured = Secured.make(tmp_path)
    file = secured.folder / "roles.toml"
    file.write_text(file.read_text().replace("/grpc.health.v1.Health/*", "/lending.ledger.v1.L/*"))

    with pytest.raises(RolesNotValid, match="cannot be open"):
        read_roles(file)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("/lending.ledger.v1.LedgerService/WriteOffLoan", ""),
        ("/lending.ledger.v1.LedgerService/Write*", ""),
        ("/lending.collections.v1.ContactService/DeclareDisaster", ""),
        ("/lending.ledger.v1.LedgerService/*", "cannot hold .*AdvanceBusinessDate"),
        ("/lending.ledger.v1.LedgerService/BatchPostRepayments", "cannot hold .*Batch"),
        ("/lending.ledger.v1.LedgerService/WriteOffLoans", "no such method"),
        ("/lending.ledger.v1.LedgerServise/WriteOffLoan", "no such method"),
    ],
)
def test_four_eyes_only_where_somebody_looks(tmp_path: Path, pattern: str, said: str) -> None:
    """A method that would take effect at once, or none at all, is not under four eyes."""
    Secured.make(tmp_path)
    file = tmp_path / "roles.toml"
    before = file.read_text()
    book, methods = RoleBook(file), methods_of(["lending.ledger.v1.LedgerService"])
    book.serve(methods, HELD)

    file.write_text(before.replace("four_eyes = [", f'four_eyes = [\n  "{pattern}",'))
    book.is_open("/grpc.health.v1.Health/Check")
    started = RoleBook(file)

    with pytest.raises(RolesNotValid, match=said) if said else nullcontext():
        started.serve(methods, HELD)
    assert (pattern in book.roles.four_eyes) is (not said)
