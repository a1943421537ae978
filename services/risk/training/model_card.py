"""What a reader must know before using a model: data, figures, limits, fairness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from services.risk.domain.fairness import Group, groups
from services.risk.training.datasets import Dataset, numbers
from services.risk.training.protocol import FIGURES, FOLDS, Trial, paired, repeats_of

AGE_EDGES = (25, 35, 50)
FIGURES_HEAD = ("model", "AUC", "KS", "Brier", "calibration error", "said less seen")
OF_GROUPS = ("n", "bad", "said", "approved", "of the best group", "goods approved", "AUC")
FAIRNESS_HEAD = ("group", *OF_GROUPS)


def fairness(data: Dataset, trial: Trial, approved_below: float) -> dict[str, list[Group]]:
    """Return the groups of each attribute left out, under held-out probabilities."""
    found = {}
    for column in data.left_out:
        values = data.values[column.name]
        names = values.tolist()
        if column.text_en == "Age":
            ages = numbers(values)
            names = [_age(age) for age in ages.tolist()]
        found[column.name] = groups(
            names, trial.probabilities.tolist(), data.bad.tolist(), approved_below=approved_below
        )
    return found


def _age(years: float) -> str:
    edges = [0, *AGE_EDGES]
    low = max(edge for edge in edges if years >= edge)
    above = [edge for edge in AGE_EDGES if edge > low]
    return f"{low} to {above[0] - 1}" if above else f"{low} and over"


def figures_rows(trials: Sequence[Trial]) -> Iterator[tuple[str, ...]]:
    """Yield the held-out figures of each model, and of each the difference from the first."""
    for trial in trials:
        yield trial.name, *(str(trial.interval(figure)) for figure in FIGURES)
    for other in trials[1:]:
        cells = (str(paired(trials[0], other, figure)) for figure in FIGURES)
        yield f"{other.name} less {trials[0].name}, paired", *cells


def fairness_rows(found: dict[str, list[Group]]) -> Iterator[tuple[str, ...]]:
    """Yield each group; one under four fifths is marked."""
    for attribute, rows in found.items():
        for row in rows:
            yield (
                f"{attribute}: {row.name}",
                str(row.count),
                f"{row.bad_rate:.1%}",
                f"{row.said_rate:.1%}",
                f"{row.approval_rate:.1%}",
                f"{row.impact_ratio:.2f}{' (!)' if row.looked_at else ''}",
                f"{row.good_approval_rate:.1%}",
                "–" if row.auc is None else f"{row.auc:.3f}",
            )


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Return a table as lines of Markdown."""
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def model_card(
    data: Dataset, versions: Sequence[str], trials: Sequence[Trial], approved_below: float
) -> str:
    """Return the card of all models trained on one set, as Markdown."""
    left_out = ", ".join(column.name for column in data.left_out)
    used = ", ".join(column.name for column in data.columns)
    groups_of = fairness(data, trials[0], approved_below)
    lines = [
        f"# Models trained on `{data.name}`: {', '.join(versions)}",
        "",
        f"**Data.** {data.source}. Licence: {data.licence}. {len(data.bad):,} applications, "
        f"{int(data.bad.sum()):,} bad ({data.bad.mean():.1%}). SHA-256 `{data.sha256}`.",
        "",
        f"**Used.** {used}.",
        f"**Left out on purpose.** {left_out}.",
        "",
        f"**Held-out figures**, {repeats_of(data)} x {FOLDS} stratified folds, the same for every "
        "model, scored as served: mean ± spread over folds [95 %, corrected for shared rows].",
        "",
        *markdown(FIGURES_HEAD, figures_rows(trials)),
        "",
        f"**Fairness** of the {trials[0].name}, held out; approved below a probability of "
        f"{approved_below}; (!) marks less than four fifths of the best group's approvals.",
        "",
        *markdown(FAIRNESS_HEAD, fairness_rows(groups_of)),
        "",
        "**Limits.** No outcome of declined applicants is known. Fit for demonstration and "
        "comparison; not for lending to anybody before it is validated on the lender's own book.",
    ]
    return "\n".join(lines) + "\n"
