#!/usr/bin/env bash
# make test: every check that is fast. Installs nothing outside Go's own caches.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "picket: error: Go is not installed" >&2; echo "picket: hint: https://go.dev/dl, version $(awk '/^go /{print $2}' go.mod) or newer" >&2; exit 1; }
unformatted=$(gofmt -l $(git ls-files '*.go'))
[ -z "$unformatted" ] || { echo "not gofmt-ed:" >&2; echo "$unformatted" >&2; exit 1; }
go vet ./...
go tool staticcheck ./...
race=
if command -v "$(go env CC)" >/dev/null && [ "$(go env CGO_ENABLED)" = 1 ]; then race=-race; else echo "no C compiler: the race detector is off"; fi
# What works through whole simulated networks would take ten times as long with the
# race detector, and says nothing of goroutines that the others don't.
long='^(TestExportedPipelineRuns|TestAttacksAreFoundThroughEveryFormat|TestDemoFails|TestShapes|TestEveryPairOfFormatsAgrees|TestAnyCutOfAnyFormatGivesTheSameFeatures|TestFormatsDecodeToTheirRecords|TestJobsMakeRunsPackage)$'
go test $race -skip "$long" -count=1 -timeout 20m ./...
go test -run "$long" -count=1 -timeout 20m ./cmd/picket ./pipeline
