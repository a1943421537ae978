"""Risk or a check away, lists with filters, and a walk at the terminal."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.origination.adapters.policy_file import read_policies
from services.origination.application.deciding import Deciding
from services.origination.config import OriginationSettings
from services.origination.domain.application import Check
from services.origination.domain.products import Product
from shared.kernel.errors import Unavailable
from tests.services.origination.killing import contracted
from tests.services.origination.paying import Place
from tests.stories.three_loans import cny
from tests.system.processes import ROOT, CallRefused

CHECKED: Product = read_policies(OriginationSettings().policies_file).product_on(
    "consumer-graded", contracted().applied_on
)


def test_an_application_waits_for_risk_and_is_decided_alone(place: Place) -> None:
    """While risk is away nothing is approved; when it is back, what waits is decided unasked."""
    place.ask("SubmitApplication", "waits", **place.form("waits"))
    risk, origination = place.suite.services["risk"], place.suite.services["origination"]
    risk.kill()

    with pytest.raises(CallRefused) as refusal:
        path = "lending.origination.v1.OriginationService/DecideApplication"
        origination.call(path, requestId="waits-decide", applicationId="waits")
    between = place.get("waits")
    risk.start()
    place.suite.until(lambda: "OFFERED" in place.get("waits")["status"], "decided")

    assert refusal.value.code == "unavailable"
    assert between["status"] == "APPLICATION_STATUS_SUBMITTED"
    steps = [line["step"] for line in place.get("waits")["trail"]]
    assert steps == ["submit", "queue", "decide"]


class Silent:
    async def check(self, application: Any) -> Check:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits that long")


class Away:
    async def check(self, application: Any) -> Check:
        raise Unavailable("the register is down")


async def test_a_check_that_does_not_answer_is_an_answer() -> None:
    """Silent or away, a check is said to have no answer, and a person decides."""
    deciding = Deciding(None, None, {"identity": Silent(), "bank_account": Away()}, 0.05)

    found = await deciding.check(contracted(), CHECKED)

    assert [(c.name, c.outcome) for c in found] == [
        ("identity", "NO_ANSWER"),
        ("bank_account", "NO_ANSWER"),
    ]
    assert all(c.code == "CHECK_NOT_ANSWERED" and c.text_zh for c in found)


def test_lists_take_filters_and_pages(place: Place) -> None:
    """Only what meets every condition, page after page; a field that is not there is named."""
    for number, amount in enumerate((700_001, 700_002, 700_003)):
        form = {**place.form(f"list-{number}"), "amount": cny(amount)}
        place.ask("SubmitApplication", f"list-{number}", **form)
    wanted = {"filter": "amount_minor >= 700002 AND amount_minor <= 700003"}

    first = place.suite.call("origination", "ListApplications", **wanted, page={"size": 1})
    rest = place.suite.call(
        "origination",
        "ListApplications",
        **wanted,
        page={"size": 5, "token": first["nextPageToken"]},
    )
    with pytest.raises(CallRefused, match="not a field"):
        place.suite.call("origination", "ListApplications", filter="name = x")

    assert [a["applicationId"] for a in first["applications"]] == ["list-1"]
    assert [a["applicationId"] for a in rest["applications"]] == ["list-2"]


def walk(place: Place, form: Path, *more: str, says: str = "") -> subprocess.CompletedProcess[str]:
    """Walk an application at a terminal, where a person says something."""
    target = f"127.0.0.1:{place.suite.services['origination'].port}"
    command = [sys.executable, "-m", "services.origination", "walk", str(form), "--target", target]
    return subprocess.run(
        [*command, "--language", "en", *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        input=says,
    )


def test_a_person_walks_an_application_at_the_terminal(place: Place, tmp_path: Path) -> None:
    """Every text is shown, the reading time is waited for, and the money is paid out."""
    form = tmp_path / "form.json"
    form.write_text(json.dumps(place.form("terminal")), "utf-8")

    done = walk(place, form, "--yes")
    again = walk(place, form, "--yes")

    assert done.returncode == 0, done.stderr
    assert "# What this loan costs" in done.stdout
    assert "# Loan contract" in done.stdout
    assert "terminal: DISBURSED" in done.stdout
    assert again.returncode == 0
    assert "DISBURSED" in again.stdout


def test_a_walk_goes_on_where_it_was_left(place: Place, tmp_path: Path) -> None:
    """Read and confirmed, but no to the contract: the next walk begins at the contract."""
    form = tmp_path / "form.json"
    form.write_text(json.dumps(place.form("left")), "utf-8")

    stopped = walk(place, form, says="y\nn\n")
    between = place.get("left")["status"]
    gone_on = walk(place, form, says="y\n")

    assert (stopped.returncode, between) == (1, "APPLICATION_STATUS_CONFIRMED")
    assert gone_on.returncode == 0, gone_on.stderr
    assert "# What this loan costs" not in gone_on.stdout
    assert "left: DISBURSED" in gone_on.stdout
