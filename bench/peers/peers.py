"""Fits and scores with LightGBM and scikit-learn, as the Go program asks.

Requests and replies are JSON objects, one a line, on stdin and stdout. The
process lives as long as the program, so neither its start nor the reading of
data is within any time that it tells:

    load     name, x, y, w, categorical   arrays of .npy files under a name
    fit      model, data, params          -> seconds, cpu_seconds, iterations[, coef, intercept]
    predict  model, data, out             -> seconds, cpu_seconds; margins to out
    forget                                drops all data and models
    versions                              -> of the libraries

The seconds of a fit run from the arrays in memory to the fitted model: binning
and the construction of a Dataset are within them.
"""

import gc
import json
import os
import platform
import sys
import time
import warnings

import lightgbm
import numpy
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

# The time of two threads is measured; the program sets the same number for
# OpenMP and for the linear algebra before this process starts.
THREADS = int(os.environ["OMP_NUM_THREADS"])


class Data:
    """Arrays of one table; weight is None where every row weighs 1."""

    def __init__(self, x, y, w, categorical):
        self.x = numpy.load(x)
        self.y = numpy.load(y).astype(numpy.int32)
        self.weight = numpy.load(w) if w else None
        self.categorical = categorical or []


def fit_lightgbm(data, p):
    params = {
        "objective": "binary",
        "num_leaves": p["max_leaf_nodes"],
        "learning_rate": p["learning_rate"],
        "min_data_in_leaf": p["min_samples_leaf"],
        "min_sum_hessian_in_leaf": p["min_child_weight"],
        "lambda_l2": p["l2"],
        "max_bin": p["max_bins"],
        "num_threads": THREADS,
        "deterministic": False,  # its fastest
        "seed": 1,
        "verbosity": -1,
    }
    dataset = lightgbm.Dataset(
        data.x,
        label=data.y,
        weight=data.weight,
        categorical_feature=data.categorical,
        params=params,
    )
    model = lightgbm.train(params, dataset, num_boost_round=p["max_iter"])
    return model, {"iterations": model.current_iteration()}


def fit_hist(data, p):
    model = HistGradientBoostingClassifier(
        learning_rate=p["learning_rate"],
        max_iter=p["max_iter"],
        max_leaf_nodes=p["max_leaf_nodes"],
        min_samples_leaf=p["min_samples_leaf"],
        l2_regularization=p["l2"],
        max_bins=p["max_bins"],
        categorical_features=data.categorical or None,
        early_stopping=False,
        random_state=1,
    )
    model.fit(data.x, data.y, sample_weight=data.weight)
    return model, {"iterations": int(model.n_iter_)}


def fit_logistic(data, p):
    model = LogisticRegression(
        C=1 / p["l2"], tol=p["tol"], max_iter=100_000, solver="lbfgs"
    )
    model.fit(data.x, data.y, sample_weight=data.weight)
    return model, {
        "iterations": int(model.n_iter_[0]),
        "coef": model.coef_[0].tolist(),
        "intercept": float(model.intercept_[0]),
    }


FITS = {"lightgbm": fit_lightgbm, "hist": fit_hist, "logistic": fit_logistic}


def margins(model, x):
    if isinstance(model, lightgbm.Booster):
        return model.predict(x, raw_score=True, num_threads=THREADS)
    return model.decision_function(x)


class Stopwatch:
    def __init__(self):
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def read(self):
        wall = time.perf_counter() - self.wall
        return {"seconds": wall, "cpu_seconds": time.process_time() - self.cpu}


class Server:
    def __init__(self):
        self.forget()

    def forget(self):
        self.data, self.models = {}, {}
        gc.collect()
        return {}

    def load(self, name, x, y, w="", categorical=None):
        self.data[name] = Data(x, y, w, categorical)
        return {}

    def fit(self, model, data, params):
        self.models.pop(model, None)
        gc.collect()
        watch = Stopwatch()
        self.models[model], reply = FITS[model](self.data[data], params)
        return reply | watch.read()

    def predict(self, model, data, out):
        x = self.data[data].x
        gc.collect()
        watch = Stopwatch()
        result = margins(self.models[model], x)
        took = watch.read()
        numpy.save(out, result.astype(numpy.float64))
        return took

    def versions(self):
        return {
            "versions": {
                "python": platform.python_version(),
                "numpy": numpy.__version__,
                "scikit-learn": sklearn.__version__,
                "lightgbm": lightgbm.__version__,
            }
        }


def main():
    # Libraries print where they like; replies need stdout to themselves.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # A fit that its tolerance stops late warns; iterations are in the reply.
    warnings.simplefilter("ignore")
    server = Server()
    commands = {
        "load": server.load,
        "fit": server.fit,
        "predict": server.predict,
        "forget": server.forget,
        "versions": server.versions,
    }
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = commands[request.pop("command")](**request)
        except Exception as e:  # told to the program, which ends
            reply = {"error": f"{type(e).__name__}: {e}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


main()
