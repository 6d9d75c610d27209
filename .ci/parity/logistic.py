#!/usr/bin/env python3
"""Golden logistic regressions by scikit-learn and standard errors by statsmodels.

    pip install -r .ci/parity/requirements.txt
    python .ci/parity/logistic.py > model/logistic/testdata/parity.json
"""
import json
import sys
import warnings

import numpy
import sklearn
import statsmodels
import statsmodels.api
from sklearn.linear_model import LogisticRegression


def draw(seed, users, strength, spread):
    """Rows of users, whose habits differ by spread, with counts over growing windows and two one-hot groups."""
    rng = numpy.random.default_rng(seed)
    user = numpy.repeat(numpy.arange(users), rng.integers(1, 7, users))
    rows = len(user)
    windows = numpy.cumsum(rng.standard_normal((rows, 4)) * [1, 0.3, 0.1, 0.03], axis=1)
    dense = numpy.hstack([windows, rng.exponential(1, (rows, 2)), rng.standard_normal((rows, 1)) > 1.5])
    dense = numpy.round((dense - dense.mean(0)) / dense.std(0), 3)
    codes = numpy.column_stack([rng.integers(0, 3, rows), rng.geometric(0.4, rows).clip(max=6) - 1])
    habit = spread * rng.standard_normal(users)[user]
    margin = dense @ [1, -0.5, 0.7, 0.2, -1, 0.3, 0.5] + 0.3 * codes.sum(1) - 1.2 + habit
    label = (rng.logistic(size=rows) < strength * margin).astype(int)
    weight = numpy.round(0.5 ** rng.uniform(0, 3, rows), 3)
    return {"dense": dense, "codes": codes, "levels": [3, 6], "label": label, "weight": weight, "user": user}


def design(data):
    """The dense columns, then the one-hot columns."""
    hot = [numpy.eye(k)[data["codes"][:, g]] for g, k in enumerate(data["levels"])]
    return numpy.hstack([data["dense"], *hot])


def weights(data, case):
    """Weight of every row, that of its class included."""
    weight = data["weight"] if case["weighted"] else numpy.ones(len(data["label"]))
    if case["balanced"]:
        share = numpy.bincount(data["label"]) / len(data["label"])
        weight = weight * 0.5 / share[data["label"]]
    return weight


def objective(model, x, y, weight, case):
    """Mean weighted loss with its penalty."""
    margin = x @ model.coef_[0] + model.intercept_[0]
    loss = weight @ numpy.logaddexp(0, numpy.where(y == 1, -margin, margin))
    size, squares = abs(model.coef_).sum(), (model.coef_**2).sum()
    penalty = case["l2"] * (case["l1_ratio"] * size + (1 - case["l1_ratio"]) / 2 * squares)
    return (loss + penalty) / weight.sum()


def fit(data, case):
    """The case with scikit-learn's optimum."""
    x, y, weight = design(data), data["label"], weights(data, case)
    solver = "saga" if case["l1_ratio"] else "lbfgs"
    model = LogisticRegression(
        C=1 / case["l2"], l1_ratio=case["l1_ratio"], solver=solver, tol=1e-10, max_iter=2_000_000, random_state=1
    )
    model.set_params(class_weight="balanced" if case["balanced"] else None)
    model.fit(x, y, sample_weight=data["weight"] if case["weighted"] else None)
    found = {"objective": objective(model, x, y, weight, case), "coef": model.coef_[0], "intercept": model.intercept_[0]}
    return case | found | {"solver": solver}


def errors(data):
    """An unpenalised fit of the dense columns by statsmodels, errors by user without a correction for few."""
    x = statsmodels.api.add_constant(data["dense"])
    glm = statsmodels.api.GLM(data["label"], x, family=statsmodels.api.families.Binomial())
    plain = glm.fit(tol=1e-12, maxiter=100)
    kinds = {"groups": data["user"], "use_correction": False}
    robust = glm.fit(tol=1e-12, maxiter=100, cov_type="cluster", cov_kwds=kinds)
    return {"coef": plain.params, "model_std_err": plain.bse, "std_err": robust.bse}


def cases():
    """Every case: a name, the data and the settings."""
    plain = {"data": "portal", "l2": 1.0, "l1_ratio": 0.0, "weighted": False, "balanced": False}
    changes = {
        "defaults": {},
        "sample weights": {"weighted": True},
        "balanced classes": {"balanced": True},
        "tiny penalty": {"l2": 1e-4},
        "large penalty": {"l2": 1e4},
        "nearly separable": {"data": "separable", "l2": 1e-2},
        "elastic net": {"l1_ratio": 0.5, "l2": 10.0},
        "elastic net, balanced": {"l1_ratio": 0.5, "l2": 3.0, "balanced": True},
        "lasso": {"l1_ratio": 1.0, "l2": 10.0},
        "nearly lasso, small penalty": {"l1_ratio": 0.9, "l2": 0.1},
        "lasso, nearly separable": {"data": "separable", "l1_ratio": 1.0, "l2": 0.3},
    }
    return [{"name": name} | plain | change for name, change in changes.items()]


def main():
    warnings.filterwarnings("error", category=sklearn.exceptions.ConvergenceWarning)
    data = {"portal": draw(20240501, 150, strength=1, spread=1), "separable": draw(20240502, 80, strength=60, spread=0)}
    out = {
        "versions": {"scikit-learn": sklearn.__version__, "statsmodels": statsmodels.__version__, "numpy": numpy.__version__},
        "data": data,
        "cases": [fit(data[case["data"]], case) for case in cases()],
        "errors": errors(data["portal"]),
    }
    json.dump(out, sys.stdout, default=lambda v: v.tolist())
    print()


if __name__ == "__main__":
    main()
