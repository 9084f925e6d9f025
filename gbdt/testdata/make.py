"""Makes the reference models and predictions of this folder: python make.py.

Writes <xgboost version>/<case>.json (or .ubj) and, as little-endian float32 with rows
row-major, <case>.rows, .margins, .contribs, .leaves (of each tree), .importance (columns
of each kind of IMPORTANCE) and .ranged (margins of the rounds 1 and 2 from base margins of
0, 1/8, 2/8, ...). The data are random numbers.
"""
import os
import sys

import numpy as np
import xgboost as xgb

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, xgb.__version__)
ROWS, COLS = 64, 6
OLD = xgb.__version__.startswith("1.3.")  # knows no UBJ, no categories, no ranges of rounds
IMPORTANCE = ("weight", "gain", "cover", "total_gain", "total_cover")


def data(seed, rows=600, missing=0.0, categorical=False):
    r = np.random.default_rng(seed)
    x = r.normal(size=(rows, COLS)).astype(np.float32)
    x[:, 4] = np.floor(2 * x[:, 4])
    if categorical:
        x[:, 0] = r.integers(0, 5, rows)
        x[:, 5] = r.integers(0, 40, rows)
    z = x[:, 0] * x[:, 1] + 0.7 * x[:, 2] - np.abs(x[:, 3]) + 0.3 * r.normal(size=rows)
    if categorical:
        z += 2 * (x[:, 0] == 3) - (x[:, 5] % 3 == 1)
    x[r.random(x.shape) < missing] = np.nan
    return x, z.astype(np.float32)


def save(name, booster, x, suffix="json", **kw):
    x = x[:ROWS]
    d = xgb.DMatrix(x, **kw)
    os.makedirs(OUT, exist_ok=True)
    path = os.path.join(OUT, name)
    booster.save_model(path + "." + suffix)
    x.astype("<f4").tofile(path + ".rows")
    booster.predict(d, output_margin=True).astype("<f4").tofile(path + ".margins")
    booster.predict(d, pred_contribs=True).astype("<f4").tofile(path + ".contribs")
    booster.predict(d, pred_leaf=True).astype("<f4").tofile(path + ".leaves")
    scores = [booster.get_score(importance_type=kind) for kind in IMPORTANCE]
    np.array([[s.get(f"f{i}", 0) for i in range(COLS)] for s in scores], "<f4").tofile(path + ".importance")
    if OLD:
        return
    n = booster.predict(d, output_margin=True).size
    base = xgb.DMatrix(x, base_margin=(np.arange(n, dtype=np.float32) / 8).reshape(len(x), -1).squeeze(), **kw)
    booster.predict(base, output_margin=True, iteration_range=(1, 3)).astype("<f4").tofile(path + ".ranged")


def case(name, objective, label, rounds=8, missing=0.0, suffix="json", watch=False, types=None, **params):
    if OLD and (suffix == "ubj" or types):
        return
    x, z = data(len(name), missing=missing, categorical=types is not None)
    kw = dict(feature_types=types, enable_categorical=True) if types else {}
    d = xgb.DMatrix(x, label(z), **kw)
    p = dict(objective=objective, max_depth=4, eta=0.3, tree_method="hist", nthread=1) | params
    more = {}
    if watch:
        vx, vz = data(99)
        more = dict(evals=[(xgb.DMatrix(vx, label(vz)), "validation")], early_stopping_rounds=3, verbose_eval=False)
    save(name, xgb.train(p, d, rounds, **more), x, suffix, **kw)


def binary(z):
    return (z > 0.2).astype(int)


def three(z):
    return np.digitize(z, [-1, 0.5])


def main():
    case("binary", "binary:logistic", binary)
    case("binary-ubj", "binary:logistic", binary, suffix="ubj")
    case("missing", "binary:logistic", binary, missing=0.3)
    case("base-score", "binary:logistic", binary, base_score=0.125)
    case("regression", "reg:squarederror", lambda z: z)
    case("multi", "multi:softprob", three, num_class=3, missing=0.1)
    case("multi-ubj", "multi:softprob", three, num_class=3, suffix="ubj")
    case("early-stopped", "binary:logistic", binary, rounds=200, watch=True)
    case("forest", "binary:logistic", binary, num_parallel_tree=3, subsample=0.5, rounds=4)
    case("lossguide", "binary:logistic", binary, grow_policy="lossguide", max_leaves=12, rounds=5)
    types = ["c", "q", "q", "q", "q", "c"]
    case("one-hot", "binary:logistic", binary, types=types, max_cat_to_onehot=100)
    case("partition", "binary:logistic", binary, types=types, max_cat_to_onehot=1, missing=0.1)


if __name__ == "__main__":
    sys.exit(main())
