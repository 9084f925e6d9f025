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
go test $race -count=1 -timeout 20m ./...
