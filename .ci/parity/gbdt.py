#!/usr/bin/env python3
"""Golden boosted trees by scikit-learn and LightGBM: model/gbdt/testdata/parity.json.

    pip install -r .ci/parity/requirements.txt
    python .ci/parity/gbdt.py > model/gbdt/testdata/parity.json

Every column has fewer values than bins, so that both see the same candidates, and
the classes are balanced, so that the first gradients are exact in any precision.
"""
import json
import sys

import lightgbm
import numpy
from sklearn.ensemble import HistGradientBoostingClassifier

ROWS, LEVELS = 1200, 6


def draw():
    """Four numerics of 17 to 65 values and a categorical; equally many labels of both kinds."""
    rng = numpy.random.default_rng(20240501)
    x = rng.standard_normal((3 * ROWS, 4)).clip(-2, 2)
    x = numpy.round(x * [4, 8, 16, 5]) / [4, 8, 16, 5]
    level = rng.integers(0, LEVELS, len(x))
    margin = 2 * x[:, 0] * (level % 2) + numpy.sin(2 * x[:, 1]) - x[:, 2] * (x[:, 3] > 0) + (level == 3) + 0.3 * x[:, 2]
    label = (margin + rng.logistic(size=len(x)) > 0.5).astype(int)
    keep = numpy.sort(numpy.concatenate([numpy.flatnonzero(label == k)[:ROWS // 2] for k in (0, 1)]))
    x, label = x[keep], label[keep]
    nulls = x.copy()
    nulls[rng.random(x.shape) < [0, 0.2, 0, 0.1]] = numpy.nan
    return x, nulls, level[keep], label, rng.integers(1, 4, ROWS).astype(float)


def by_sklearn(x, y, w, p, categorical):
    model = HistGradientBoostingClassifier(
        max_iter=p["max_iter"], learning_rate=p["learning_rate"], max_leaf_nodes=p["max_leaf_nodes"],
        max_depth=p.get("max_depth"), min_samples_leaf=p["min_samples_leaf"], l2_regularization=p["l2_regularization"],
        categorical_features=categorical, early_stopping=False)
    return model.fit(x, y, sample_weight=w).decision_function(x)


def by_lightgbm(x, y, w, p, categorical):
    params = {
        "objective": "binary", "num_leaves": p["max_leaf_nodes"], "learning_rate": p["learning_rate"],
        "max_depth": p.get("max_depth", -1), "min_data_in_leaf": p["min_samples_leaf"], "lambda_l2": p["l2_regularization"],
        "min_data_in_bin": 1, "enable_bundle": False, "feature_pre_filter": False, "verbose": -1, "num_threads": 1, "deterministic": True,
        "max_cat_to_onehot": 1, "cat_l2": 0, "cat_smooth": p.get("cat_smooth", 10), "min_data_per_group": 1,
    }
    if "sign" in p:
        params["monotone_constraints"] = p["sign"]
    data = lightgbm.Dataset(x, y, weight=w, categorical_feature=categorical)
    return lightgbm.train(params, data, p["max_iter"]).predict(x, raw_score=True)


def main():
    plain, nulls, level, label, weight = draw()
    base = {"max_iter": 1, "learning_rate": 1.0, "max_leaf_nodes": 16, "min_samples_leaf": 1, "l2_regularization": 0.0}
    boosted = base | {"max_iter": 10, "learning_rate": 0.3, "l2_regularization": 1.0}
    cases = [
        ("one tree", plain, None, base, []),
        ("one tree with nulls, λ and a depth", nulls, None, base | {"l2_regularization": 5.0, "max_depth": 3}, []),
        ("ten trees", plain, None, boosted, []),
        ("ten trees with nulls", nulls, None, boosted, []),
        ("ten trees with weights", plain, weight, boosted, []),
        ("ten small trees with levels", numpy.column_stack([plain, level]), None, boosted | {"max_leaf_nodes": 6}, [4]),
        ("ten monotone trees", plain, None, boosted | {"sign": [1, 0, -1, 0], "max_leaf_nodes": 8}, []),
    ]
    out = []
    for name, x, w, p, categorical in cases:
        for peer, fit in (("scikit-learn", by_sklearn), ("lightgbm", by_lightgbm)):
            if peer == "scikit-learn" and "sign" in p:
                continue  # its gain leaves out the second-order term, so that bounded nodes are split elsewhere
            margins = fit(x, label, w, p, categorical or None if peer == "scikit-learn" else categorical)
            out.append({"name": name, "peer": peer, "nulls": x is nulls, "weighted": w is not None, "levels": bool(categorical),
                        "params": {k: v for k, v in p.items() if k != "sign"}, "sign": p.get("sign", []),
                        "margins": [round(m, 9) for m in margins[::6].tolist()]})
    json.dump({
        "levels": LEVELS, "plain": plain.tolist(), "nulls": [[None if v != v else v for v in row] for row in nulls.tolist()],
        "level": level.tolist(), "label": label.tolist(), "weight": weight.tolist(), "every": 6, "cases": out,
    }, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
