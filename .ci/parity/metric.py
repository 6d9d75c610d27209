#!/usr/bin/env python3
"""Golden metrics by scikit-learn and empulse: model/metric/testdata/parity.json.

    pip install -r .ci/parity/requirements.txt
    python .ci/parity/metric.py > model/metric/testdata/parity.json
"""
import json
import sys

import empulse
import numpy
import sklearn
from empulse.metrics import empc_score, mpc_score
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

# What a kept customer is worth, a contact costs, and the mean success rate.
MONEY = [(100, 12, 0.4), (200, 1, 0.3), (50, 20, 0.6), (35, 3, 0.15)]
CONCENTRATION = 20
BINS = 10
THRESHOLD = 0.3


def draw(rows, decimals):
    """Probabilities that are too sure, rounded so that they tie."""
    rng = numpy.random.default_rng(20240402)
    prob = numpy.round(rng.beta(1.1, 2.5, rows), decimals)
    label = rng.random(rows) < 0.15 + 0.6 * prob
    return prob, label.astype(int)


def calibration_error(prob, label, strategy):
    """ECE from scikit-learn's curve, and the rows of its bins."""
    observed, mean = calibration_curve(label, prob, n_bins=BINS, strategy=strategy)
    if strategy == "quantile":
        rows = numpy.full(BINS, len(prob) / BINS)
    else:
        rows = numpy.histogram(prob, BINS, (0, 1))[0]
    return float((numpy.abs(observed - mean) * rows[rows > 0]).sum() / len(prob))


def recalibration(prob, label):
    model = LogisticRegression(C=numpy.inf, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    model.fit(numpy.log(prob / (1 - prob)).reshape(-1, 1), label)
    return [float(model.coef_[0, 0]), float(model.intercept_[0])]


def money(prob, label):
    out = []
    for worth, cost, success in MONEY:
        alpha, beta = CONCENTRATION * success, CONCENTRATION * (1 - success)
        common = {"clv": worth, "incentive_cost": 0, "contact_cost": cost}
        out.append({
            "value": {"kept_customer": worth, "contact_cost": cost, "success_rate": success, "capacity": 1},
            "max_profit": float(mpc_score(label, prob, accept_rate=success, **common)),
            "empc": float(empc_score(label, prob, alpha=alpha, beta=beta, **common)),
        })
    return out


def curves(prob, label):
    fpr, tpr, _ = metrics.roc_curve(label, prob, drop_intermediate=False)
    precision, recall, _ = metrics.precision_recall_curve(label, prob)
    # It ends in a point (recall 0, precision 1) that no threshold gives.
    return {"fpr": fpr.tolist(), "tpr": tpr.tolist(), "precision": precision[-2::-1].tolist(), "recall": recall[-2::-1].tolist()}


def measure(rows, decimals):
    prob, label = draw(rows, decimals)
    decided = prob >= THRESHOLD
    tn, fp, fn, tp = (int(n) for n in metrics.confusion_matrix(label, decided).ravel())
    precision, recall, f1, _ = (float(v or 0) for v in metrics.precision_recall_fscore_support(label, decided, average="binary"))
    out = {
        "prob": prob.tolist(),
        "label": [bool(y) for y in label],
        "values": {
            "pr_auc": float(metrics.average_precision_score(label, prob)),
            "roc_auc": float(metrics.roc_auc_score(label, prob)),
            "brier": float(metrics.brier_score_loss(label, prob)),
        },
        "confusion": {"true_positives": tp, "false_positives": fp, "false_negatives": fn, "true_negatives": tn},
        "rates": [precision, recall, f1, tn / (tn + fp)],
        "curves": curves(prob, label),
        "money": money(prob, label),
    }
    if decimals > 6:  # bins agree only without ties, logarithms exist only inside (0, 1)
        slope, intercept = recalibration(prob, label)
        out["values"] |= {
            "log_loss": float(metrics.log_loss(label, prob)),
            "ece": calibration_error(prob, label, "quantile"),
            "calibration_slope": slope,
            "calibration_intercept": intercept,
        }
        out["ece_equal_width"] = calibration_error(prob, label, "uniform")
    return out


def main():
    origin = f"scikit-learn {sklearn.__version__}, empulse {empulse.__version__}, numpy {numpy.__version__}, .ci/parity/metric.py"
    json.dump({"origin": origin, "threshold": THRESHOLD, "tied": measure(400, 2), "smooth": measure(400, 15)}, sys.stdout)
    print()


main()
