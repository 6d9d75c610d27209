#!/usr/bin/env python3
"""Golden calibration maps by scikit-learn: model/calibrate/testdata/parity.json.

    pip install -r .ci/parity/requirements.txt
    python .ci/parity/calibrate.py > model/calibrate/testdata/parity.json
"""
import json
import sys

import numpy
import sklearn
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression


def draw(rows):
    """Margins that tie, labels that do not follow them in a line, weights 0.5 to 2."""
    rng = numpy.random.default_rng(20240401)
    margin = numpy.round(1.5 * rng.standard_normal(rows) - 1, 1)
    truth = 0.02 + 0.5 / (1 + numpy.exp(-2 * margin - 1)) + 0.3 * (margin > 0.4)
    label = (rng.random(rows) < truth).astype(int)
    return margin, label, rng.choice([0.5, 1.0, 1.5, 2.0], rows)


def isotonic(margin, label, weight, at):
    curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    return curve.fit(margin, label, sample_weight=weight).predict(at).tolist()


def with_prior(margin, label, weight, at):
    """Half a row of each class, of mean weight, at both ends."""
    half = weight.mean() / 2
    low, high = margin.min(), margin.max()
    return isotonic(
        numpy.append(margin, [low, low, high, high]),
        numpy.append(label, [0, 1, 0, 1]),
        numpy.append(weight, [half] * 4),
        at,
    )


def line(margin, label, weight):
    """The unpenalised logistic regression on the margin."""
    model = LogisticRegression(C=numpy.inf, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    model.fit(margin.reshape(-1, 1), label, sample_weight=weight)
    return [float(model.coef_[0, 0]), float(model.intercept_[0])]


def smoothed(margin, label, weight):
    """Platt's own targets: probability 1/(1+exp(a·margin+b)), to about 1e-5."""
    model = _SigmoidCalibration().fit(margin, label, sample_weight=weight)
    return [-float(model.a_), -float(model.b_)]


def main():
    margin, label, weight = draw(600)
    at = numpy.round(numpy.arange(-8, 8, 0.07), 2)
    json.dump(
        {
            "origin": f"scikit-learn {sklearn.__version__}, numpy {numpy.__version__}, .ci/parity/calibrate.py",
            "margin": margin.tolist(),
            "label": [bool(y) for y in label],
            "weight": weight.tolist(),
            "at": at.tolist(),
            "isotonic": isotonic(margin, label, weight, at),
            "isotonic_unweighted": isotonic(margin, label, numpy.ones(len(label)), at),
            "isotonic_with_prior": with_prior(margin, label, weight, at),
            "line": line(margin, label, weight),
            "line_smoothed": smoothed(margin, label, weight),
        },
        sys.stdout,
    )
    print()


main()
