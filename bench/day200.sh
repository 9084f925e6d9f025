#!/usr/bin/env bash
# bench/day200.sh [SEEDS]: simulated days of a network of 200 machines, with attacks,
# paces and habits that are kept from training; writes their section of
# docs/evaluation.md. Ten seeds if none are named.
set -euo pipefail
cd "$(dirname "$0")/.."
make --no-print-directory build
exec go run ./bench/evaluation -only day200 -seeds "${1:-10}"
