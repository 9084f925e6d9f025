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
# The race detector makes a test take some ten times as long. It watches what has
# goroutines; what works through whole simulated networks, and says nothing of
# goroutines that the others don't, runs without it.
plain='TestAccessAnyCut|TestAnyCutGivesTheSameFeatures|TestAnyCutOfAnyFormatGivesTheSameFeatures
TestAttacksAreFoundThroughEveryFormat|TestCoverage|TestDemoFails|TestDemoNames|TestDrift
TestEveryPairOfFormatsAgrees|TestExamples|TestExportedPipelineRuns|TestFormatsDecodeToTheirRecords
TestHistoryAnyOrder|TestJobsMakeRunsPackage|TestNearest|TestProjection|TestRetrainKeepsDetectors
TestSameBits|TestShapes|TestStreamGivesEachWindowOnce|TestToldOnceWritten'
plain="^($(echo "$plain" | tr '\n' '|' | sed 's/|$//'))\$"
# The longest first, so that both cores are busy to the end.
first="./pipeline ./cmd/picket ./aws/lambda ./gbdt ./pipeline/decode ./pipeline/extract"
rest=$(go list ./... | grep -vxE "picket/(pipeline|cmd/picket|aws/lambda|gbdt|pipeline/decode|pipeline/extract|simulate)")
go test -vet=off $race -skip "$plain" -count=1 -timeout 20m $first $rest
go test -vet=off -run "$plain" -count=1 -timeout 20m ./pipeline ./cmd/picket ./pipeline/extract
go test -vet=off -count=1 -timeout 20m ./simulate # has no goroutines
