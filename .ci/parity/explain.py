#!/usr/bin/env python3
"""Golden Shapley values by LightGBM: model/explain/testdata/parity.json.

    pip install -r .ci/parity/requirements.txt
    python .ci/parity/explain.py > model/explain/testdata/parity.json
"""
import json
import sys

import lightgbm
import numpy

LEVELS = 5


def draw(rows):
    """Four numerics, each with nulls, and a categorical; labels that need pairs of them."""
    rng = numpy.random.default_rng(20240401)
    x = numpy.round(rng.standard_normal((rows, 4)), 3)
    level = rng.integers(0, LEVELS, rows)
    margin = x[:, 0] * (level % 2) + numpy.abs(x[:, 1]) - x[:, 2] * (x[:, 3] > 0) + (level == 3)
    label = (margin + rng.standard_normal(rows) > 0.5).astype(int)
    x[rng.random(x.shape) < 0.15] = numpy.nan
    return numpy.column_stack([x, level]), label


def flat(node, out):
    """The nodes of a tree in pre-order: feature, right child, threshold or value, levels, missing left, cover."""
    at = len(out)
    if "leaf_value" in node:
        out.append([-1, 0, node["leaf_value"], None, False, node["leaf_count"]])
        return out
    out.append(None)
    flat(node["left_child"], out)
    right = len(out)
    flat(node["right_child"], out)
    levels = None
    if node["decision_type"] == "==":
        levels = [int(v) for v in node["threshold"].split("||")]
    threshold = 0 if levels else node["threshold"]
    out[at] = [node["split_feature"], right, threshold, levels, node["default_left"], node["internal_count"]]
    return out


def main():
    x, label = draw(2000)
    params = {"objective": "binary", "num_leaves": 24, "learning_rate": 0.3, "min_data_in_leaf": 5,
              "cat_smooth": 1, "min_data_per_group": 5, "max_cat_to_onehot": 1, "seed": 1, "verbose": -1}
    booster = lightgbm.train(params, lightgbm.Dataset(x, label, categorical_feature=[4]), 8)
    trees = [flat(t["tree_structure"], []) for t in booster.dump_model()["tree_info"]]
    rows = x[:60]
    contributions = booster.predict(rows, pred_contrib=True)
    json.dump({
        "levels": LEVELS,
        "trees": trees,
        "rows": [[None if numpy.isnan(v) else v for v in row] for row in rows.tolist()],
        "margins": booster.predict(rows, raw_score=True).tolist(),
        "contributions": contributions.tolist(),  # the last column is the base
    }, sys.stdout, separators=(",", ":"))


main()
