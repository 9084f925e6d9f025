#!/bin/sh
# Trains gbdt and XGBoost alike on TRAIN.csv (label first, no header) and prints how
# both do on TEST.csv: bench/gbdt/compare.sh [-name N] [-p eta=0.1,...] TRAIN.csv TEST.csv
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
sh "$root/bench/peers.sh" bench
(cd "$root" && go build -o .peers/gbdt ./bench/gbdt)
exec "$root/.peers/gbdt" compare -root "$root" "$@"
