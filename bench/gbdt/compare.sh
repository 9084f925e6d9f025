#!/bin/sh
# Trains gbdt and XGBoost alike on TRAIN.csv (label first, no header) and prints how
# both do on TEST.csv: bench/gbdt/compare.sh [-name N] [-p eta=0.1,...] TRAIN.csv TEST.csv
set -eu
for file; do last=$file; done
[ $# -ge 2 ] && [ -f "$last" ] || { sed -n "2,3p" "$0" >&2; exit 2; }
cd "$(dirname "$0")/../.."
sh bench/peers.sh bench
exec go run ./bench/gbdt compare "$@"
