"""Train the challenger: monotone boosted trees, written out as plain trees."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from services.risk.domain.boosted_trees import BoostedTrees, Feature, Node
from services.risk.training.bins import classes_of
from services.risk.training.datasets import Column, DataMissing, Dataset, Floats, numbers

ROUNDS = 220
SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 8,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "seed": 7,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
"""Chosen once and for every set."""
LEAF_ROWS_MIN, ROWS_PER_LEAF, LEAF_PER_PENALTY = 20, 250, 4
"""A leaf has at least 20 rows, and one in 250 of a large set; the penalty is a quarter of that."""


def train_trees(data: Dataset, version: str) -> BoostedTrees:
    """
    Train trees on all rows given; the same rows give the same trees.

    Risk falls with the evidence of a value that is no number, and goes with a number as the
    column says.

    Raises:
        DataMissing: LightGBM is not installed.
    """
    try:
        import lightgbm
    except ImportError:
        raise DataMissing("lightgbm is not installed: run `make training`") from None
    features = tuple(feature_of(data, column) for column in data.columns)
    x = inputs(data, features)
    sample = lightgbm.Dataset(x, label=data.bad.astype(float), free_raw_data=False)
    booster = lightgbm.train(settings_for(data), sample, num_boost_round=ROUNDS)
    trees = [_tree(one["tree_structure"]) for one in booster.dump_model()["tree_info"]]
    return BoostedTrees(
        version=version, features=features, trees=tuple(trees), origin=data.origin()
    )


def settings_for(data: Dataset) -> dict[str, Any]:
    """Return how trees are grown on a set: leaves by its size, directions by its columns."""
    leaf = max(LEAF_ROWS_MIN, len(data.bad) // ROWS_PER_LEAF)
    return {
        **SETTINGS,
        "min_data_in_leaf": leaf,
        "lambda_l2": leaf / LEAF_PER_PENALTY,
        "monotone_constraints": [c.rises if c.numeric else -1 for c in data.columns],
    }


def feature_of(data: Dataset, column: Column) -> Feature:
    """Return how the values of an attribute become a number: as they are, or their evidence."""
    if column.numeric:
        return Feature(name=column.name, text_en=column.text_en, text_zh=column.text_zh)
    evidence = classes_of(data, column).evidence
    return Feature(
        name=column.name, text_en=column.text_en, text_zh=column.text_zh, values=evidence
    )


def inputs(data: Dataset, features: tuple[Feature, ...]) -> Floats:
    """Return one row of numbers per application; NaN is missing."""
    columns = []
    for feature in features:
        values = data.values[feature.name]
        if feature.values is None:
            columns.append(numbers(values))
        else:
            columns.append(np.array([feature.values.get(v, np.nan) for v in values.tolist()]))
    return np.column_stack(columns)


def _tree(top: dict[str, Any]) -> tuple[Node, ...]:
    """Return the nodes of a tree, the top first; children follow their parent."""
    nodes: list[Node] = []

    def add(found: dict[str, Any]) -> int:
        place = len(nodes)
        if "leaf_value" in found and "split_feature" not in found:
            nodes.append(Node(value=found["leaf_value"]))
            return place
        nodes.append(Node())
        left, right = add(found["left_child"]), add(found["right_child"])
        threshold = float(found["threshold"])
        nodes[place] = Node(
            feature=int(found["split_feature"]),
            at_most=min(threshold, 1e300) if threshold < inf else 1e300,
            left=left,
            right=right,
            missing_left=_missing_left(found),
        )
        return place

    add(top)
    return tuple(nodes)


def _missing_left(found: dict[str, Any]) -> bool:
    """Say where a missing number goes; without any in training LightGBM takes it for zero."""
    if found["missing_type"] == "None":
        return float(found["threshold"]) >= 0
    return bool(found["default_left"])
