"""What can be supposed of a contract, as options of a command line."""

from __future__ import annotations

from typing import Annotated

import typer
from lending.ledger.v1 import audit_service_pb2 as pb
from lending.ledger.v1.loan_pb2 import DayCount

from services.ledger.domain.policies import POLICIES

GraceDays = Annotated[int | None, typer.Option(help="Had the contract this grace.")]
PenaltyRate = Annotated[str, typer.Option(help="Had it this penalty rate: 0.18.")]
Allocation = Annotated[str, typer.Option(help="Had it this allocation policy.")]
Delinquency = Annotated[str, typer.Option(help=f"Had it one of {', '.join(POLICIES)}.")]
DayCounts = Annotated[
    str, typer.Option(help="Had it this day count: ACT_360. Money stays as it came.")
]
Edges = Annotated[
    list[str] | None,
    typer.Option(
        help="Had its delinquency policy these edges in a scheme:"
        " five_tier:0=NORMAL,1=SPECIAL_MENTION,61=SUBSTANDARD,181=DOUBTFUL,361=LOSS."
    ),
]


def supposed_terms(
    grace_days: int | None,
    penalty_rate: str,
    allocation: str,
    delinquency: str,
    day_count: str,
    edges: list[str] | None,
) -> pb.SupposeLoanRequest:
    """
    Return a question with the terms that are supposed otherwise.

    Raises:
        BadParameter: there is no such day count, or edges are not written as above.
    """
    asked = pb.SupposeLoanRequest(
        penalty_rate_annual=penalty_rate,
        allocation_policy=allocation,
        delinquency_policy=delinquency,
        scheme_edges=[_edges(text) for text in edges or []],
    )
    if grace_days is not None:
        asked.grace_days = grace_days
    if day_count:
        names = [name.removeprefix("DAY_COUNT_") for name in DayCount.keys()[1:]]
        if day_count not in names:
            raise typer.BadParameter(f"{day_count!r} is none of {', '.join(names)}")
        asked.day_count = DayCount.Value(f"DAY_COUNT_{day_count}")
    return asked


def _edges(text: str) -> pb.SchemeEdges:
    scheme, _, said = text.partition(":")
    edges = []
    for part in said.split(","):
        day, _, bucket = part.partition("=")
        if not (scheme and day.isascii() and day.isdigit() and len(day) < 6 and bucket):
            raise typer.BadParameter(f"{text!r} is not like five_tier:0=NORMAL,1=SPECIAL_MENTION")
        edges.append(pb.SchemeEdge(first_day=int(day), bucket=bucket))
    return pb.SchemeEdges(scheme=scheme, edges=edges)
