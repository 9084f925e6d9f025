"""The peers' side of the benchmarks: the work that main.go does, by others.

    peer.py LIBRARY train|predict|explain|load FLAGS      # the flags of main.go
    peer.py LIBRARY train -permute SEED FLAGS             # rows in another order

LIBRARY is xgboost, lightgbm, lightgbm-quantised, catboost or scikit-learn. Prints
one line of JSON with the same fields as main.go.
"""
import argparse
import json
import resource
import sys
import time

import numpy as np


def cpu():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return r.ru_utime + r.ru_stime


def peak_memory():
    """This program's largest resident size so far, in MiB."""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:")) / 1024


def measure(repeat, work):
    """Medians of wall and CPU seconds, and the last result."""
    wall, used, result = [], [], None
    for _ in range(repeat):
        c, t = cpu(), time.perf_counter()
        result = work()
        wall.append(time.perf_counter() - t)
        used.append(cpu() - c)
    return {"wall_s": sorted(wall)[repeat // 2], "cpu_s": sorted(used)[repeat // 2]}, result


def number(text):
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def rows(path, a):
    x = np.fromfile(path, "<f4").reshape(-1, a.cols)
    return x[:a.rows] if a.rows else x


def sparse(x):
    import scipy.sparse as sp

    there = ~np.isnan(x)
    r, c = np.nonzero(there)
    return sp.csr_matrix((x[there], (r, c)), shape=x.shape)


def trainer(library, p, x, y):
    """A function that fits and returns a function that predicts."""
    p = dict(p)
    rounds, threads = p.pop("num_round"), p.pop("nthread")
    multi = p["objective"] == "multi:softprob"
    if library == "xgboost":
        import xgboost as xgb

        def fit():
            data = xgb.QuantileDMatrix(x, y, max_bin=p.get("max_bin", 256), nthread=threads)
            model = xgb.train(dict(p, tree_method="hist", nthread=threads, verbosity=0), data, rounds)
            return lambda t: model.predict(xgb.DMatrix(t, nthread=threads))
    elif library.startswith("lightgbm"):
        import lightgbm as lgb

        q = dict(learning_rate=p["eta"], max_bin=255, num_leaves=p.get("num_leaves", 63), max_depth=p["max_depth"], num_threads=threads,
                 verbosity=-1, use_quantized_grad=library == "lightgbm-quantised", min_data_in_leaf=p.get("min_data_in_leaf", 20))
        q.update(dict(objective="multiclass", num_class=p["num_class"]) if multi else dict(objective="binary"))

        def fit():
            data = lgb.Dataset(x, y, params=q)
            model = lgb.train(q, data, rounds)
            return lambda t: model.predict(t, num_threads=threads)
    elif library == "catboost":
        import catboost

        def fit():
            model = catboost.CatBoost(dict(iterations=rounds, learning_rate=p["eta"], depth=p["max_depth"], thread_count=threads,
                                           border_count=254, verbose=False, allow_writing_files=False,
                                           loss_function="MultiClass" if multi else "Logloss"))
            model.fit(catboost.Pool(x, y, thread_count=threads))
            predict = lambda t: model.predict(t, prediction_type="Probability", thread_count=threads)
            return predict if multi else lambda t: predict(t)[:, 1]
    else:
        from sklearn.ensemble import HistGradientBoostingClassifier

        def fit():
            model = HistGradientBoostingClassifier(learning_rate=p["eta"], max_iter=rounds, max_leaf_nodes=None,
                                                   max_depth=p["max_depth"], early_stopping=False, max_bins=255)
            model.fit(x, y)
            return model.predict_proba if multi else lambda t: model.predict_proba(t)[:, 1]
    return fit


def train(library, a):
    p = {k: number(v) for k, v in (pair.split("=") for pair in a.p.split(","))}
    x, y = rows(a.x, a), np.fromfile(a.y, "<f4")
    if a.permute:
        order = np.random.default_rng(a.permute).permutation(len(y))
        x, y = x[order], y[order]
    if a.csr:
        x = sparse(x)
    out, predict = measure(1, trainer(library, p, x, y))
    out["rss_mb"] = peak_memory()
    if a.tx:
        t = rows(a.tx, a)
        predict(sparse(t) if a.csr else t).astype("<f4").tofile(a.o)
    return out


def booster(a):
    import xgboost as xgb

    model = xgb.Booster({"nthread": a.threads})
    model.load_model(a.m)
    model.set_param({"nthread": a.threads})
    return model


def predict(a):
    model, x = booster(a), rows(a.tx, a)
    if a.single:
        for i in range(100):
            model.inplace_predict(x[i:i + 1], predict_type="margin")
        nanos = []
        for i in range(2000):
            t = time.perf_counter()
            model.inplace_predict(x[i:i + 1], predict_type="margin")
            nanos.append(time.perf_counter() - t)
        return {"wall_s": sorted(nanos)[1000], "cpu_s": sorted(nanos)[1000]}
    out, margins = measure(a.repeat, lambda: model.inplace_predict(x, predict_type="margin"))
    margins.astype("<f4").tofile(a.o)
    return out


def explain(a):
    import xgboost as xgb

    model, data = booster(a), xgb.DMatrix(rows(a.tx, a))
    out, phi = measure(a.repeat, lambda: model.predict(data, pred_contribs=True))
    phi.astype("<f4").tofile(a.o)
    return out


def main():
    f = argparse.ArgumentParser()
    f.add_argument("library")
    f.add_argument("work")
    for name in ("x", "y", "tx", "p", "m", "o"):
        f.add_argument("-" + name, default="")
    for name, default in (("cols", 40), ("rows", 0), ("repeat", 5), ("threads", 1), ("permute", 0)):
        f.add_argument("-" + name, type=int, default=default)
    for name in ("csr", "single"):
        f.add_argument("-" + name, action="store_true")
    a = f.parse_args()
    if a.work == "train":
        out = train(a.library, a)
    elif a.work == "predict":
        out = predict(a)
    elif a.work == "explain":
        out = explain(a)
    else:
        out, _ = measure(a.repeat, lambda: booster(a))
    out.setdefault("rss_mb", peak_memory())
    print(json.dumps(out))


if __name__ == "__main__":
    sys.exit(main())
