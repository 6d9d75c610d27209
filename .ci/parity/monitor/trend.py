#!/usr/bin/env python3
"""Golden trends by statsmodels and scipy: pipeline/monitor/testdata/trend.json.

    pip install -r .ci/parity/requirements.txt
    python .ci/parity/monitor/trend.py > pipeline/monitor/testdata/trend.json
"""
import json
import sys

import numpy
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import optimize, stats

CONFIDENCE = 0.95


def series(name, days, noise, slope, shared, limit, seed):
    rng = numpy.random.default_rng(seed)
    daily = rng.normal(0, noise, int(days[-1]) + shared + 1)
    value = [0.05 + slope * d + daily[int(d):int(d) + max(shared, 1)].mean() for d in days]
    return {"name": name, "days": [int(d) for d in days], "values": value, "shared": shared, "limit": limit}


def overlapping(x, residuals, days, shared):
    """The covariance under windows over independent days, by its definition."""
    likeness = numpy.eye(len(days))
    if shared:
        likeness = numpy.maximum(0, 1 - numpy.abs(numpy.subtract.outer(days, days)) / shared)
    inverse = numpy.linalg.inv(x.T @ x)
    m = numpy.eye(len(days)) - x @ inverse @ x.T
    variance = residuals @ residuals / numpy.trace(m @ likeness)
    freedom = numpy.trace(m @ likeness) ** 2 / numpy.trace(m @ likeness @ m @ likeness)
    return variance * inverse @ x.T @ likeness @ x @ inverse, freedom


def crossing(level, slope, covariance, freedom, limit):
    """The ends of Fieller's interval: where the band around the line has the limit on its edge."""
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, freedom)

    def beyond(t):
        at = numpy.array([1, t])
        return (level + slope * t - limit) ** 2 - quantile ** 2 * at @ covariance @ at

    middle = (limit - level) / slope
    return [float(optimize.brentq(beyond, middle - 1e4, middle, xtol=1e-12)), float(optimize.brentq(beyond, middle, middle + 1e4, xtol=1e-12))]


def describe(case):
    days = numpy.array(case["days"], float) - case["days"][-1]
    x = sm.add_constant(days)
    plain = sm.OLS(case["values"], x).fit()
    lags = case["lags"]
    robust = sm.OLS(case["values"], x).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True)
    windows, freedom = overlapping(x, plain.resid, days, case["shared"])
    level, slope = (float(v) for v in plain.params)
    out = dict(case, level=level, slope=slope, newey_west=robust.cov_params().tolist(), overlapping=windows.tolist(), freedom=float(freedom))
    if case["shared"] == 0:
        out["ols"] = plain.cov_params().tolist()
        out["ols_p"] = float(plain.pvalues[1])
    wider = windows if windows[1, 1] >= robust.cov_params()[1, 1] else robust.cov_params()
    half = stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * numpy.sqrt(wider[1, 1])
    out["slope_interval"] = [slope - float(half), slope + float(half)]
    out["p"] = float(2 * stats.t.sf(abs(slope) / numpy.sqrt(wider[1, 1]), freedom))
    out["fieller"] = crossing(level, slope, wider, freedom, case["limit"])
    return out


def main():
    weekly, uneven = numpy.arange(0, 7 * 12, 7), numpy.array([0, 7, 14, 28, 35, 36, 49, 63, 70, 77])
    cases = [
        dict(series("independent", weekly, 0.01, 0.002, 0, 0.25, 1), lags=2),
        dict(series("overlapping", weekly, 0.03, 0.002, 30, 0.25, 2), lags=4),
        dict(series("falling", numpy.arange(0, 21), 0.02, -0.004, 0, -0.1, 3), lags=2),
        dict(series("uneven", uneven, 0.05, 0.0015, 14, 0.25, 4), lags=2),
    ]
    made = {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__, "numpy": numpy.__version__}
    json.dump({"made_with": made, "confidence": CONFIDENCE, "cases": [describe(c) for c in cases]}, sys.stdout, indent=1)
    sys.stdout.write("\n")


main()
