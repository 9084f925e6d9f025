#!/usr/bin/env bash
# make e2e: what is slow or needs peers.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -tags e2e -count=1 -timeout 14m ./cmd/...
