"""Risk's API: read the application, decide, remember, render."""

from __future__ import annotations

from typing import Any

from lending.risk.v1 import risk_service_pb2 as pb
from lending.risk.v1.risk_service_pb2_grpc import RiskServiceServicer

from services.risk import wire
from services.risk.application.book import keep_decision
from services.risk.domain.decision import Decision, decide
from services.risk.domain.early_warning import Alert
from services.risk.domain.exposure import ProductExposure
from services.risk.domain.policy import Policy
from services.risk.domain.scorecard import Scorecard
from shared.kernel.errors import NotFound
from shared.kernel.money import minor_digits
from shared.runtime.records import Records, Work
from shared.runtime.requests import a_number, an_id

PRODUCTS_MAX = 1000


class DecisionNotFound(NotFound):
    """No decision was made on this application."""


class RiskService(RiskServiceServicer):
    """Answers every rpc of lending.risk.v1.RiskService."""

    def __init__(self, records: Records, policy: Policy, card: Scorecard) -> None:
        self.records, self.policy, self.card = records, policy, card

    async def ScoreApplication(self, request: Any, context: Any) -> pb.Decision:
        """Decide on an application."""
        application = wire.application(request)

        async def act(work: Work) -> pb.Decision:
            decision = decide(application, self.policy, self.card)
            answer = wire.decision_message(decision)
            await keep_decision(work, decision)
            subject, body = wire.decision_made(request, answer)
            message_id = f"risk/{request.request_id}"
            await work.owe(subject, message_id, body, {"ce-type": "lending.risk.v1.DecisionMade"})
            return answer

        return await self.records.answer_once(request, pb.Decision, act)

    async def GetDecision(self, request: Any, context: Any) -> pb.Decision:
        """Return the decision on an application."""
        application_id = an_id(request.application_id, "application_id")
        async with self.records.work() as work:
            decision = await work.get(Decision, application_id)
        if decision is None:
            raise DecisionNotFound(f"no decision on {application_id}", field="application_id")
        return wire.decision_message(decision)

    async def ListAlerts(self, request: Any, context: Any) -> pb.ListAlertsResponse:
        """List early warnings by date."""
        size = a_number(request.page.size, "page.size", 0, 1000) or 100
        state = wire.indicator_name(request.indicator)
        async with self.records.work() as work:
            found = await work.find(Alert, state=state, after=request.page.token, limit=size)
        token = found[-1].alert_id if len(found) == size else ""
        alerts = [wire.alert_message(alert) for alert in found]
        return pb.ListAlertsResponse(alerts=alerts, next_page_token=token)

    async def GetExposure(self, request: Any, context: Any) -> pb.Exposure:
        """Return approved decisions by product."""
        minor_digits(request.currency)
        async with self.records.work() as work:
            found = await work.find(ProductExposure, state=request.currency, limit=PRODUCTS_MAX)
        return wire.exposure_message(request.currency, found)
