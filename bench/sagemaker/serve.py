"""Answers a request as SageMaker's built-in XGBoost 3.0-5 container does: the trees out
of MODEL (a model.tar.gz), the rows of CSV, a JSON list of predictions.

    serve.py MODEL CSV
"""

import json
import sys
import tarfile

import numpy as np
import xgboost as xgb

booster = xgb.Booster()
with tarfile.open(sys.argv[1]) as archive:
    booster.load_model(bytearray(archive.extractfile("xgboost-model").read()))
with open(sys.argv[2]) as f:
    rows = np.array([[float(c) if c else float("nan") for c in line.rstrip("\n").split(",")] for line in f], dtype=np.float32)
json.dump({"version": xgb.__version__, "predictions": booster.predict(xgb.DMatrix(rows), validate_features=False).reshape(len(rows), -1).tolist()}, sys.stdout)
