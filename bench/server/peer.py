"""The peer of picket serve: one XGBoost booster behind gunicorn, as a bare WSGI app.

Rows as CSV in, one probability of not being class 0 a line out. It does no more
than it must: no framework, no pandas, one thread for a prediction.
"""

import os

import numpy as np
import xgboost

booster = xgboost.Booster(model_file=os.environ["MODEL"])
booster.set_param({"nthread": 1})


def app(environ, start_response):
    if environ["REQUEST_METHOD"] == "GET":
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    rows = np.array([[cell or "nan" for cell in line.split(b",")] for line in body.splitlines()], dtype=np.float32)
    p = booster.inplace_predict(rows, missing=np.nan)
    malicious = p if p.ndim == 1 else 1 - p[:, 0]
    answer = b"".join(b"%.9g\n" % v for v in malicious)
    start_response("200 OK", [("Content-Type", "text/csv"), ("Content-Length", str(len(answer)))])
    return [answer]
