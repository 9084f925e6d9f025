#!/usr/bin/env bash
# How fast raw logs become features, beside DuckDB, gopacket and argus: writes the
# section "Ingest" of docs/benchmarks.md. INGEST names rows (vpc,gzip,parquet,pcap,
# json,names,cores,memory,large); empty is all, which takes about 15 minutes and 5 GB
# of disk. WORK keeps the inputs in a folder.
set -euo pipefail
cd "$(dirname "$0")/.."
sh bench/peers.sh ingest
go build -o .peers/ingest-bench ./bench/ingest
.peers/ingest-bench -only "${INGEST:-}" -work "${WORK:-}" -write docs/benchmarks.md
