"""Trains as SageMaker's built-in XGBoost 3.0-5 container does in algorithm mode, over
ROOT in the place of /opt/ml: the same reading of the channels, the same callbacks, the
same file. Written after aws/sagemaker-xgboost-container (Apache-2.0), not copied.

    container.py ROOT

Beside the model it leaves predictions.json: what XGBoost says of the validation rows.
"""

import json
import os
import sys

import numpy as np
import xgboost as xgb

TEXTS = {"objective", "eval_metric", "booster", "tree_method", "grow_policy"}


def matrix(root, channel, weights):
    """The container's own way to load a channel: by URI, delimiter sniffed."""
    uri = os.path.join(root, "input", "data", channel) + "?format=csv&label_column=0&delimiter=,"
    return xgb.DMatrix(uri + ("&weight_column=1" if weights else ""))


def exact(root, channel, weights):
    """The rows of a channel as the container's server reads a request: by Python's own
    numbers. The loader above parses a number in single precision, and an error in its
    last bit takes the other side of a split that stands at the very value."""
    rows = []
    with open(os.path.join(root, "input", "data", channel, channel + ".csv")) as f:
        for line in f:
            cells = line.rstrip("\n").split(",")[2 if weights else 1 :]
            rows.append([float(c) if c else float("nan") for c in cells])
    return np.array(rows, dtype=np.float32)


def main(root):
    with open(os.path.join(root, "input", "config", "hyperparameters.json")) as f:
        given = json.load(f)
    if not all(isinstance(v, str) for v in given.values()):
        sys.exit("hyperparameters must be texts")
    weights = given.pop("csv_weights", "0") == "1"
    rounds, stop = int(given.pop("num_round")), int(given.pop("early_stopping_rounds", "0"))
    params = {k: v if k in TEXTS else float(v) for k, v in given.items()}
    for name in ("num_class", "max_depth", "seed"):
        if name in params:
            params[name] = int(params[name])
    train, held = matrix(root, "train", weights), matrix(root, "validation", weights)
    callbacks = []
    if stop:
        callbacks.append(xgb.callback.EarlyStopping(rounds=stop, data_name="validation", metric_name=given["eval_metric"], maximize=False, save_best=True))
    booster = xgb.train(params, train, num_boost_round=rounds, evals=[(train, "train"), (held, "validation")], callbacks=callbacks, verbose_eval=False)
    os.makedirs(os.path.join(root, "model"), exist_ok=True)
    booster.save_model(os.path.join(root, "model", "xgboost-model"))
    with open(os.path.join(root, "predictions.json"), "w") as f:
        rows = xgb.DMatrix(exact(root, "validation", weights)[:, : booster.num_features()])
        said = booster.predict(rows)
        parsed = int((np.abs(said - booster.predict(held)) > 1e-6).sum())
        json.dump({"version": xgb.__version__, "columns": booster.num_features(), "parsed_differently": parsed, "predictions": said.tolist()}, f)


main(sys.argv[1])
