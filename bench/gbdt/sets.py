"""Makes CSV files for compare.sh from public sets: sets.py DATA OUT [NAME...]

DATA is the folder of the sets, OUT gets NAME-train.csv and NAME-test.csv: label
first, no header. How each is split, so that a model meets nothing it has seen:

  nsl-kdd    as published: the 20 % training file, KDDTest+
  unsw-nb15  the one part that is there, rows that are equal kept once, three tenths
             of them for the test by a hash of the row (it has no times, no addresses)
  luflow     by day: 2020-07-08 and -09, then 2020-07-11; without AS numbers, ports and
             times, which tell the label; outliers left out
  pdd        URLs kept once, three tenths for the test by a hash of the host; columns are
             lengths, counts of characters and entropy, made here
"""
import csv
import gzip
import hashlib
import io
import json
import math
import os
import re
import sys
import zipfile
from urllib.parse import urlsplit


def held_out(key):
    return hashlib.sha256(key.encode()).digest()[0] < 77  # of 256


def write(out, name, train, test):
    os.makedirs(out, exist_ok=True)
    for part, rows in (("train", train), ("test", test)):
        with open(os.path.join(out, f"{name}-{part}.csv"), "w", newline="") as f:
            csv.writer(f).writerows(rows)


def nsl_kdd(data):
    def read(name):
        with gzip.open(os.path.join(data, "nsl-kdd", name), "rt") as f:
            for row in csv.reader(f):
                yield [int(row[41] != "normal")] + row[:41]

    return list(read("KDDTrain+_20Percent.txt.gz")), list(read("KDDTest+.txt.gz"))


def unzip(path):
    with zipfile.ZipFile(path) as z:
        for name in sorted(z.namelist()):
            if name.endswith(".csv") and not os.path.basename(name).startswith("."):  # macOS leaves such
                with z.open(name) as f:
                    yield from csv.DictReader(io.TextIOWrapper(f, "utf-8-sig"))


def unsw_nb15(data):
    train, test, seen = [], [], set()
    for row in unzip(os.path.join(data, "unsw-nb15", "UNSW_NB15_training-set.csv.zip")):
        fields = [v for k, v in row.items() if k not in ("id", "attack_cat", "label")]
        key = ",".join(fields)
        if key not in seen:
            seen.add(key)
            (test if held_out(key) else train).append([row["label"]] + fields)
    return train, test


def luflow(data):
    def read(day):
        for row in unzip(os.path.join(data, "luflow", day + ".zip")):
            if row["label"] != "outlier":
                drop = ("label", "src_ip", "dest_ip", "src_port", "dest_port", "time_start", "time_end")
                yield [int(row["label"] == "malicious")] + [v for k, v in row.items() if k not in drop]

    return [*read("2020.07.08"), *read("2020.07.09")], list(read("2020.07.11"))


def entropy(text):
    counts = [text.count(c) for c in set(text)]
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts) if text else 0.0


def lexical(url):
    parts = urlsplit(url)
    host = parts.hostname or ""
    words = re.split(r"[^A-Za-z0-9]+", url)
    counts = [url.count(c) for c in ".-_/?=&%@~"]
    shares = [sum(c.isdigit() for c in t) for t in (url, host)] + [sum(c.isalpha() for c in url)]
    return [len(url), len(host), len(parts.path), len(parts.query), host.count("."), host.count("-"),
            max(map(len, words)), len(words), parts.path.count("/"), *counts, *shares,
            int(re.fullmatch(r"[0-9.]+", host) is not None), len(host.rsplit(".", 1)[-1]), round(entropy(url), 4), round(entropy(host), 4)]


def pdd(data):
    train, test, seen = [], [], set()
    for label, name in ((0, "data_legitimate_36400"), (1, "data_phishing_37175")):
        with gzip.open(os.path.join(data, "pdd-ebubekir", name + ".json.gz")) as f:
            for url in json.load(f):
                try:
                    host = urlsplit(url).hostname or ""
                    row = [label] + lexical(url)
                except ValueError:  # not a URL
                    continue
                if url not in seen:
                    seen.add(url)
                    (test if held_out(host) else train).append(row)
    return train, test


SETS = {"nsl-kdd": nsl_kdd, "unsw-nb15": unsw_nb15, "luflow": luflow, "pdd": pdd}

if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for name in sys.argv[3:] or SETS:
        write(sys.argv[2], name, *SETS[name](sys.argv[1]))
