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

Case = dict[str, Any]


def _dec(value: Any) -> Decimal:
    return Decimal(str(value))


def _provisions(given: Case) -> list[Decimal]:
    losses, total = provision_matrix([(_dec(a), _dec(r)) for _, a, r in given["buckets"]])
    return [*losses, total]


def _ecl(given: Case) -> Decimal:
    exposure = given.get("gca", given.get("ead", given.get("exposure")))
    return expected_loss(
        _dec(exposure), _dec(given.get("pd12", given.get("pd"))), _dec(given["lgd"])
    )


def _lifetime(given: Case) -> Decimal:
    pds = next(v for k, v in given.items() if "pd" in k and isinstance(v, list))
    ead = next(v for k, v in given.items() if k in ("ead", "eads", "gca", "exposure", "exposures"))
    exposures = ead if isinstance(ead, list) else [ead] * len(pds)
    eir = given.get("eir", given.get("discount_rate", 0))
    lgd = _dec(given["lgd"])
    return lifetime_loss([_dec(e) for e in exposures], [_dec(p) for p in pds], lgd, _dec(eir))


def _psi(given: Case) -> float:
    was, now = [v for v in given.values() if isinstance(v, list)][:2]
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
    "ecl_lifetime": _lifetime,
    "irb_rw_pct": _risk_weight,
    "psi": _psi,
    "hhi": _hhi,
}
"""The function of each category."""
