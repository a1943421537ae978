"""The whole book's risk as a message."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from lending.risk.v1 import risk_service_pb2 as pb

from services.risk.application.portfolio import Portfolios
from services.risk.domain.loss_sharing import LossSharing
from services.risk.domain.portfolio import Part, Portfolio
from services.risk.domain.roll_rates import RollMatrix


def message(found: Portfolio) -> pb.Portfolio:
    """Return every figure; shares have four places."""
    return pb.Portfolio(
        as_of=found.as_of.isoformat(),
        currency=found.currency,
        rules_version=found.rules_version,
        loans=found.loans,
        balance_minor=found.balance_minor,
        allowance_minor=found.allowance_minor,
        by_stage=_parts(found.by_stage),
        by_state=_parts(found.by_state),
        by_product=_parts(found.by_product),
        product_hhi=found.product_hhi,
        largest_borrowers=_parts(found.largest_borrowers),
        provision_minor=found.provision_minor,
        scenarios=[
            pb.ScenarioLoss(name=name, allowance_minor=loss) for name, loss in found.scenarios
        ],
        roll_rates=_rolls(found.matrix),
        vintages=[
            pb.VintageRow(
                month=row.month,
                loans=row.loans,
                ever_bad=_known(row.ever_bad),
                ever_over_thirty=_known(row.ever_over_thirty),
            )
            for row in found.vintages
        ],
    )


def sharing_message(
    found: LossSharing, as_of: date, currency: str, by: Portfolios
) -> pb.LossSharing:
    """Return who bears the expected loss, and by which rules."""
    return pb.LossSharing(
        as_of=as_of.isoformat(),
        currency=currency,
        rules_version=by.rules.version,
        sharing_version=by.sharing_rules.version,
        loans=found.loans,
        exposure_minor=found.exposure_minor,
        loss_minor=found.loss_minor,
        bearers=[
            pb.LossBearer(party=one.party, role=one.role, amount_minor=one.amount_minor)
            for one in found.bearers
        ],
        risk_weighted_minor=found.risk_weighted_minor,
        capital_minor=found.capital_minor,
    )


def _known(cells: Iterable[Fraction | None]) -> list[str]:
    return [four_places(cell) for cell in cells if cell is not None]


def _parts(parts: Iterable[Part]) -> list[pb.PortfolioPart]:
    return [
        pb.PortfolioPart(
            name=part.name,
            loans=part.loans,
            balance_minor=part.balance_minor,
            allowance_minor=part.allowance_minor,
        )
        for part in parts
    ]


def _rolls(matrix: RollMatrix) -> list[pb.RollRow]:
    rows = zip(matrix.states, matrix.counts, matrix.by_count(), matrix.by_balance(), strict=True)
    return [
        pb.RollRow(
            state=state,
            loans=sum(counts),
            by_count=_shares(matrix, by_count),
            by_balance=_shares(matrix, by_balance),
        )
        for state, counts, by_count, by_balance in rows
        if sum(counts)
    ]


def _shares(matrix: RollMatrix, row: list[Fraction]) -> dict[str, str]:
    return {s: four_places(cell) for s, cell in zip(matrix.states, row, strict=True) if cell}


def four_places(share: Fraction) -> str:
    """Return a share as a plain decimal, rounded half-even."""
    return f"{round(share * 10_000) / 10_000:.4f}"
