"""What a step would do, asked beforehand: answered in full, and nothing has happened."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.origination.paying import Place, reason_of
from tests.stories.three_loans import cny
from tests.system.processes import CallRefused


def test_every_step_can_be_asked_beforehand(place: Place) -> None:
    """Each answers as it then does; between, the application stands where it stood."""
    name, only = "tried", {"validateOnly": True}

    def both(method: str, **body: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        before = place.get(name)
        asked = place.ask(method, name, requestId=f"{name}-{method}-asked", **body, **only)
        assert place.get(name) == before
        return before, asked, place.ask(method, name, **body)

    form = {**place.form(name), "requestId": "try-submit"}
    taken = place.suite.call("origination", "SubmitApplication", **form, **only)
    place.refused("APPLICATION_NOT_FOUND", "DecideApplication", name)
    place.suite.call("origination", "SubmitApplication", **form)
    _, would, decided = both("DecideApplication")
    _, would_show, shown = both("ShowDisclosure")
    place.confirm(name, "-2")
    _, would_accept, accepted = both("AcceptContract")
    _, would_pay, paid = both("DisburseApplication")

    assert taken["status"] == "APPLICATION_STATUS_SUBMITTED"
    assert would["status"] == decided["status"] == "APPLICATION_STATUS_OFFERED"
    assert would["offers"] == decided["offers"]
    assert would_show["disclosureSha256"] == shown["disclosureSha256"]
    assert would_accept["contractSha256"] == accepted["contractSha256"]
    assert would_pay["status"] == "APPLICATION_STATUS_DISBURSING"
    assert paid["status"] == "APPLICATION_STATUS_DISBURSED"
    assert place.bank.asked[f"payout-{name}-1"] == 1


def test_a_trial_is_refused_as_the_step_would_be(place: Place) -> None:
    """What may not be done may not be tried; risk keeps no decision of a trial."""
    name = "tried-decide"
    place.ask("SubmitApplication", name, **{**place.form(name), "amount": cny(1_000_000)})
    place.ask("DecideApplication", name, validateOnly=True)

    place.refused("DISCLOSURE_NOT_CONFIRMED", "AcceptContract", name, validateOnly=True)
    with pytest.raises(CallRefused) as unknown:
        place.suite.call("risk", "GetDecision", applicationId=name)
    events = place.get(name)["trail"]

    assert reason_of(unknown.value) == "DECISION_NOT_FOUND"
    assert [line["step"] for line in events] == ["submit"]


def test_a_draft_is_filled_in_and_submitted(place: Place) -> None:
    """Saved as far as it goes, twice; submitted it is whole, and a draft no more."""
    name = "drafted"
    form = place.form(name)
    part = {key: form[key] for key in ("product", "applicantName", "amount", "attributes")}
    rest = {key: form[key] for key in form if key not in (*part, "appliedOn")}

    saved = place.ask("SaveDraft", name, product=form["product"], requestId="draft-1")
    again = place.ask("SaveDraft", name, **part, requestId="draft-2")
    place.refused("APPLICATION_NOT_SUBMITTED", "DecideApplication", name)
    place.refused("FIELD_MISSING", "SubmitApplication", name)
    asked = {"status": "APPLICATION_STATUS_DRAFT"}
    drafts = place.suite.call("origination", "ListApplications", **asked)["applications"]
    taken = place.ask("SubmitApplication", name, **rest)
    place.refused("APPLICATION_ALREADY_SUBMITTED", "SaveDraft", name, **part)
    decided = place.ask("DecideApplication", name)

    assert saved["status"] == again["status"] == "APPLICATION_STATUS_DRAFT"
    assert name in [row["applicationId"] for row in drafts]
    assert "Han Meimei" not in str(again)
    assert taken["status"] == "APPLICATION_STATUS_SUBMITTED"
    assert taken["appliedOn"] == place.today()
    assert [line["step"] for line in taken["trail"]] == ["draft", "draft", "submit"]
    assert decided["status"] == "APPLICATION_STATUS_OFFERED"
