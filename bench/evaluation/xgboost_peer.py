"""Trains XGBoost as Picket trained: python xgboost_peer.py MODEL DATASET ROWS...

MODEL is a package of `picket train --table`, DATASET the folder that its --dataset
wrote, ROWS how many rows each test has, in the order of the test split. Prints the
figures of XGBoost's trees and of Picket's, both scored here, as JSON.
"""
import json
import sys
import zipfile

import numpy as np
import xgboost as xgb


def read(path):
    table = np.genfromtxt(path, delimiter=",", dtype=np.float64)
    return table[:, 0].astype(int), table[:, 1], table[:, 2:].astype(np.float32)


def balanced(labels, weights):
    """Each class weighs the square root of its rarity; the weights keep their sum."""
    sums = np.bincount(labels, weights)
    factors = np.divide(1, np.sqrt(sums), out=np.zeros_like(sums), where=sums > 0)
    weights = weights * (factors * sums.sum() / (sums * factors).sum())[labels]
    return weights


def malicious(margins):
    """Log-odds of any class but the first."""
    if margins.ndim == 1:
        return margins.astype(float)
    top = margins[:, 1:].max(axis=1)
    rest = top + np.log(np.exp(margins[:, 1:] - top[:, None]).sum(axis=1))
    return rest - margins[:, 0]


def accuracy(scores, bad, cut):
    passes = scores >= cut
    return float((passes == bad).mean())


def macro_f1(scores, bad, cut):
    passes = scores >= cut
    f1 = [2 * (passes & bad).sum() / max(1, passes.sum() + bad.sum()),
          2 * (~passes & ~bad).sum() / max(1, (~passes).sum() + (~bad).sum())]
    return float(np.mean(f1))


def auc(scores, bad):
    values, at = np.unique(scores, return_inverse=True)
    good, evil = np.bincount(at, ~bad), np.bincount(at, bad)
    below = np.cumsum(good) - good
    return float((evil * (below + good / 2)).sum() / (good.sum() * evil.sum()))


def recall_at(scores, bad, rate):
    normal = np.sort(scores[~bad])[::-1]
    cut = normal[int(rate * len(normal))]
    return float((scores[bad] > cut).mean())


def figures(scores, bad, cut):
    return {"Accuracy": accuracy(scores, bad, cut), "MacroF1": macro_f1(scores, bad, cut), "AUC": auc(scores, bad),
            "RecallAt1": recall_at(scores, bad, 0.01), "AtHalf": accuracy(scores, bad, 0)}


def main(model, dataset, *rows):
    with zipfile.ZipFile(model) as package:
        manifest = json.loads(package.read("manifest.json"))
        trees = package.read("boosters/table.ubj")
    facts = manifest["training"]["boosters"]["table//0"]
    cut = manifest["boosters"][0]["threshold"]["margin"]
    labels, weights, values = read(dataset + "/train.csv")
    train = xgb.DMatrix(values, labels, weight=balanced(labels, weights), missing=np.nan)
    params = {k: v for k, v in facts["params"].items() if k not in ("num_round", "early_stopping_rounds", "eval_metric")}
    theirs = xgb.train(dict(params, tree_method="hist", nthread=2, verbosity=0), train, facts["rounds"])
    ours = xgb.Booster({"nthread": 2})
    ours.load_model(bytearray(trees))
    labels, _, values = read(dataset + "/test.csv")
    out, test = {}, xgb.DMatrix(values, missing=np.nan)
    ends = np.cumsum([int(n) for n in rows])
    for name, booster in (("Picket", ours), ("XGBoost", theirs)):
        scores = np.split(malicious(booster.predict(test, output_margin=True)), ends)[: len(rows)]
        truth = np.split(labels != 0, ends)[: len(rows)]
        out[name] = [figures(s, t, cut) for s, t in zip(scores, truth)]
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
