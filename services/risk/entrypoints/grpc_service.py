"""Risk's API: read the question, ask the application layer, render."""

from __future__ import annotations

from typing import Any

from lending.risk.v1 import risk_service_pb2 as pb
from lending.risk.v1.risk_service_pb2_grpc import RiskServiceServicer

from services.risk import wire, wire_decisions, wire_portfolio
from services.risk.application.decision_desk import DecisionDesk
from services.risk.application.portfolio import Portfolios
from services.risk.application.watch import Watch
from services.risk.domain.exposure import DIMENSIONS
from shared.kernel.dates import parse_date
from shared.kernel.money import minor_digits
from shared.runtime.records import Records, Work
from shared.runtime.requests import a_number, a_text, an_id


class RiskService(RiskServiceServicer):
    """Answers every rpc of lending.risk.v1.RiskService."""

    def __init__(
        self, records: Records, desk: DecisionDesk, watch: Watch, portfolios: Portfolios
    ) -> None:
        self.records, self.desk, self.deciding = records, desk, desk.deciding
        self.watch, self.portfolios = watch, portfolios

    async def ScoreApplication(self, request: Any, context: Any) -> pb.Decision:
        """Decide on an application."""
        return await self.desk.ask(request)

    async def GetDecision(self, request: Any, context: Any) -> pb.Decision:
        """Return the latest decision on an application."""
        decided = await self.deciding.latest(an_id(request.application_id, "application_id"))
        return wire_decisions.decision_message(decided.decision, decided.decision_id)

    async def ExplainDecision(self, request: Any, context: Any) -> pb.DecisionExplanation:
        """Return every rule and every point of a decision."""
        decided = await self.deciding.latest(an_id(request.application_id, "application_id"))
        policy = self.deciding.policies.version(decided.decision.policy_version)
        card = self.deciding.models.card(decided.decision.model_version)
        return wire_decisions.explanation(decided, policy, card)

    async def ReplayDecision(self, request: Any, context: Any) -> pb.ReplayDecisionResponse:
        """Make a decision again and compare."""
        decided = await self.deciding.latest(an_id(request.application_id, "application_id"))
        again, name = self.deciding.again(decided), decided.decision_id
        return pb.ReplayDecisionResponse(
            stored=wire_decisions.decision_message(decided.decision, name),
            again=wire_decisions.decision_message(again, name),
            identical=again == decided.decision,
        )

    async def ListAlerts(self, request: Any, context: Any) -> pb.ListAlertsResponse:
        """List early warnings by date."""
        size = a_number(request.page.size, "page.size", 0, 1000) or 100
        state = wire.indicator_name(request.indicator)
        found = await self.watch.page(state, request.page.token, size, open_only=request.open_only)
        token = found[-1].alert_id if len(found) == size else ""
        alerts = [wire.alert_message(alert) for alert in found]
        return pb.ListAlertsResponse(alerts=alerts, next_page_token=token)

    async def AcknowledgeAlert(self, request: Any, context: Any) -> pb.Alert:
        """Take an alert over, or close it."""
        an_id(request.request_id, "request_id")
        owner, on = a_text(request.owner, "owner"), parse_date(request.on, field="on")
        alert_id, outcome = (
            a_text(request.alert_id, "alert_id"),
            wire.alert_outcome(request.outcome),
        )

        async def act(work: Work) -> pb.Alert:
            return wire.alert_message(
                await self.watch.acknowledge(work, alert_id, owner, on, outcome)
            )

        return await self.records.answer_once(request, pb.Alert, act)

    async def GetExposure(self, request: Any, context: Any) -> pb.Exposure:
        """Return approved decisions by product, region, partner and guarantor."""
        minor_digits(request.currency)
        book = self.deciding.book
        async with book.work():
            found = {name: book.by_value(request.currency, name) for name in DIMENSIONS}
        return wire.exposure_message(request.currency, found, self.deciding.policies.newest())

    async def GetLossSharing(self, request: Any, context: Any) -> pb.LossSharing:
        """Return who bears the loss expected of a date's book."""
        minor_digits(request.currency)
        as_of = parse_date(request.as_of, field="as_of")
        found = await self.portfolios.sharing(as_of, request.currency)
        return wire_portfolio.sharing_message(found, as_of, request.currency, self.portfolios)

    async def GetPortfolio(self, request: Any, context: Any) -> pb.Portfolio:
        """Return the whole book's risk on a date."""
        minor_digits(request.currency)
        as_of = parse_date(request.as_of, field="as_of")
        return wire_portfolio.message(await self.portfolios.figures(as_of, request.currency))
