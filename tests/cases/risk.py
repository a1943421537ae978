"""Published figures of risk: expected loss, capital, stability, concentration."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from services.risk.domain.capital import AssetClass, risk_weight
from services.risk.domain.expected_loss import expected_loss, lifetime_loss, provision_matrix
from services.risk.domain.exposure import concentration
from services.risk.domain.stability import population_stability_index
from tests.cases.inputs import Case, dec, first


def _provisions(given: Case) -> list[Decimal]:
    losses, total = provision_matrix([(dec(a), dec(r)) for _, a, r in given["buckets"]])
    return [*losses, total]


def _ecl(given: Case) -> Decimal:
    if "lgd" not in given:
        return _loss_rate(given)
    exposure = dec(first(given, "gca", "ead", "exposure"))
    return expected_loss(exposure, dec(first(given, "pd12", "pd_12m", "pd")), dec(given["lgd"]))


def _loss_rate(given: Case) -> Decimal:
    """Return the expected loss of one unit of exposure: what was lost over what was lent."""
    each, number = given.get("gca_per_client", 0), given.get("clients", given.get("n", 0))
    lent = first(given, "total_gca", "gca", "total_exposure", "exposure", "ead", default=0)
    lost = first(given, "pv_observed_loss", "pv_loss", "observed_loss", "loss")
    return expected_loss(dec(1), dec(1), dec(lost) / (dec(lent) or dec(each) * dec(number)))


def _lifetime(given: Case) -> Decimal:
    pds = next(v for k, v in given.items() if "pd" in k and isinstance(v, list))
    ead = next(v for k, v in given.items() if k in ("ead", "eads", "gca", "exposure", "exposures"))
    exposures = ead if isinstance(ead, list) else [ead] * len(pds)
    eir = given.get("eir", given.get("discount_rate", 0))
    lgd = dec(given["lgd"])
    return lifetime_loss([dec(e) for e in exposures], [dec(p) for p in pds], lgd, dec(eir))


def _psi(given: Case) -> float:
    lists = [value for value in given.values() if isinstance(value, list)]
    was, now = lists[:2] if lists[1:] else zip(*lists[0], strict=True)
    return population_stability_index(given.get("expected", was), given.get("actual", now))


def _hhi(given: Case) -> Fraction:
    shares = next(v for v in given.values() if isinstance(v, list))
    return concentration([Fraction(str(share)) for share in shares]) * 10_000


def _risk_weight(given: Case) -> float:
    kind, maturity = AssetClass(given["asset_class"]), given.get("M") or 2.5
    sales = given.get("turnover_eur_m")
    found = risk_weight(
        kind, given["pd"], given["lgd"], maturity_years=maturity, turnover_eur_m=sales
    )
    return found * 100


RISK_FIGURES: dict[str, Callable[[Case], Any]] = {
    "provision_matrix": _provisions,
    "ecl_12m": _ecl,
    "ecl": _ecl,
    "loss_rate": _loss_rate,
    "ecl_lifetime": _lifetime,
    "irb_rw_pct": _risk_weight,
    "psi": _psi,
    "hhi": _hhi,
}
"""The function of each category."""
