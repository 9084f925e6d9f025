"""The peer's side of gbdt's TestPeers: python e2e.py DIR.

Each folder of DIR has our model with its margins and contributions, and in
params.json the parameters and the types of the columns: "q", or "c" for categories.
Writes into it report.json, the largest differences that xgboost finds, and a model
of its own.
"""
import json
import os
import sys

import numpy as np
import xgboost as xgb


def floats(folder, name):
    return np.fromfile(os.path.join(folder, name + ".f32"), "<f4")


def difference(a, b):
    """Largest difference, relative to values above 1."""
    a, b = a.ravel().astype(float), b.ravel().astype(float)
    return float((np.abs(a - b) / np.maximum(1, np.abs(b))).max())


def check(folder):
    with open(os.path.join(folder, "params.json")) as f:
        params = json.load(f)
    labels = floats(folder, "labels")
    rows = floats(folder, "rows").reshape(len(labels), -1)
    types = params.pop("types").split(",")
    data = xgb.DMatrix(rows, labels, feature_types=types, enable_categorical="c" in types)
    report = {"version": xgb.__version__}
    for suffix in ("json", "ubj"):
        ours = xgb.Booster({"nthread": 1})
        ours.load_model(os.path.join(folder, "ours." + suffix))
        report[suffix] = difference(ours.predict(data, output_margin=True), floats(folder, "margins"))
    report["contribs"] = difference(ours.predict(data, pred_contribs=True), floats(folder, "contribs"))
    rounds = int(params.pop("num_round"))
    theirs = xgb.train(dict(params, tree_method="hist", nthread=1, verbosity=0), data, rounds)
    for suffix in ("json", "ubj"):
        theirs.save_model(os.path.join(folder, "theirs." + suffix))
    theirs.predict(data, output_margin=True).astype("<f4").tofile(os.path.join(folder, "their-margins.f32"))
    theirs.predict(data, pred_contribs=True).astype("<f4").tofile(os.path.join(folder, "their-contribs.f32"))
    with open(os.path.join(folder, "report.json"), "w") as f:
        json.dump(report, f)


if __name__ == "__main__":
    for name in sorted(os.listdir(sys.argv[1])):
        check(os.path.join(sys.argv[1], name))
