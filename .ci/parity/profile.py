#!/usr/bin/env python3
"""Golden distances by scipy and numpy: model/profile/testdata/parity.json.

    pip install -r .ci/parity/requirements.txt
    python .ci/parity/profile.py > model/profile/testdata/parity.json
"""
import json
import sys

import numpy
import scipy
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

BINS = 10


def course_psi(expected, actual):
    """The index over the quantile bins of the expected values, as numpy has them."""
    edges = numpy.unique(numpy.quantile(expected, numpy.linspace(0, 1, BINS + 1)))
    p, q = (numpy.histogram(x, edges)[0] / len(x) for x in (expected, actual[(actual >= edges[0]) & (actual <= edges[-1])]))
    p, q = numpy.clip(p, 1e-6, None), numpy.clip(q, 1e-6, None)
    return float(numpy.sum((q - p) * numpy.log(q / p)))


def values(rng, kind, rows, moved):
    """Few enough different values that each is a percentile of its own."""
    if kind == "counts":
        return numpy.minimum(rng.poisson(3 + moved, rows), 6).astype(float)
    if kind == "zeros":
        return numpy.where(rng.random(rows) < 0.6 - 0.2 * moved, 0, numpy.minimum(numpy.round(rng.gamma(2, 2, rows)), 6))
    return rng.integers(0, 30 + int(10 * moved), rows) / 4


def case(rng, kind, rows, now, moved):
    a, b = values(rng, kind, rows, 0), values(rng, kind, now, moved)
    b = b[b <= a.max()]  # beyond the range the index of the course says nothing
    levels = numpy.unique(numpy.concatenate([a, b]))
    count = lambda x: [int((x == v).sum()) for v in levels]
    before, after = count(a), count(b)
    chi = chi2_contingency(numpy.array([before, after]), correction=False)
    return {
        "kind": kind,
        "before": a.tolist(),
        "now": b.tolist(),
        "cells_before": before,
        "cells_now": after,
        "least_expected": float(chi.expected_freq.min()),
        "chi2_p": float(chi.pvalue),
        "jensen_shannon": float(jensenshannon(before, after, base=2)),
        "ks": float(ks_2samp(a, b).statistic),
        "shift": float(wasserstein_distance(a, b) / a.std(ddof=1)),
        "course_psi": course_psi(a, b),
    }


def main():
    rng = numpy.random.default_rng(20250711)
    sizes = [(400, 300), (250, 90), (300, 300)]
    cases = [case(rng, kind, rows, now, moved) for kind in ("counts", "zeros", "quarters") for rows, now in sizes for moved in (0, 0.5)]
    json.dump({"scipy": scipy.__version__, "numpy": numpy.__version__, "cases": cases}, sys.stdout)
    print()


main()
