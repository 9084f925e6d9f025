#!/usr/bin/env bash
# make bench: Go micro-benchmarks, in the form that benchstat reads, with the load
# of the machine before and after. A figure taken above load 2.5 is not quoted.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "load: $(cut -d' ' -f1-3 /proc/loadavg)"
go test -run xxx -bench . -benchmem -count "${COUNT:-3}" ./pipeline/decode ./pipeline/extract ./gbdt ./server
echo "load: $(cut -d' ' -f1-3 /proc/loadavg)"

# The trees beside their peers: TREES=all, or names of rows such as TREES=100k,sparse.
if [ -n "${TREES:-}" ]; then
	sh bench/peers.sh bench
	go run ./bench/gbdt table -only "${TREES#all}" -write docs/benchmarks.md
fi
