"""A delinquency policy whose scheme has other edges than those in force."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from services.ledger.domain.policies import DelinquencyPolicy
from services.ledger.domain.refusals import SchemeNotInPolicy, SuppositionInvalid

DAYS_MAX = 3_660
SUPPOSED = "+supposed"
"""Ends the name of a policy that nobody has put in force."""


def with_edges(
    policy: DelinquencyPolicy, scheme: str, edges: tuple[tuple[int, str], ...]
) -> DelinquencyPolicy:
    """
    Return a policy with other edges in one scheme; with the edges that it has, the very same.

    Args:
        policy: As it is.
        scheme: The scheme's name; its convention stays.
        edges: First day past due and bucket, from day 0 upwards.
    Raises:
        SchemeNotInPolicy: the policy has no such scheme.
        SuppositionInvalid: days do not rise from 0, a name comes twice, a cure's bucket is gone.
    """
    held = {one.name: one for one in policy.schemes}
    if scheme not in held:
        raise SchemeNotInPolicy(
            f"{policy.policy} has no scheme {scheme[:40]!r}",
            field="scheme_edges.scheme",
            expected=", ".join(held),
        )
    days, names = [day for day, _ in edges], [name for _, name in edges]
    needed = {cure.bucket for cure in policy.cures if cure.scheme == scheme}
    rising = days[:1] == [0] and all(a < b for a, b in pairwise(days)) and days[-1] <= DAYS_MAX
    if not rising or "" in names or len({*names}) < len(names) or not needed <= {*names}:
        raise SuppositionInvalid(
            f"{scheme} cannot have the edges {edges}",
            field="scheme_edges.edges",
            expected=f"days rising from 0 to at most {DAYS_MAX}, each bucket once"
            + "".join(f", {name} among them" for name in sorted(needed)),
        )
    if held[scheme].edges == edges:
        return policy
    held[scheme] = msgspec.structs.replace(held[scheme], edges=edges)
    name = policy.policy.removesuffix(SUPPOSED) + SUPPOSED
    return msgspec.structs.replace(policy, policy=name, schemes=tuple(held.values()))
