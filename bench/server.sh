#!/usr/bin/env bash
# The endpoint beside gunicorn and XGBoost, the time from an object to its finding,
# and the functions at a Lambda Runtime API: writes their sections of docs/benchmarks.md. Part of make bench; takes
# about five minutes, and about 1 GB of disk on the way. Figures taken while others
# work on the machine are worth little: the load stands beside them.
set -euo pipefail
cd "$(dirname "$0")/.."
sh bench/peers.sh server
go run ./bench/server endpoint -write docs/benchmarks.md
go run ./bench/server latency -write docs/benchmarks.md
go run ./bench/server lambda -write docs/benchmarks.md
