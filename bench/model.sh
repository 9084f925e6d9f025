#!/bin/sh
# Makes the embedded default package again: bench/model.sh [DATA]
# About ten minutes on two cores. DATA, if given, is the folder of public sets.
set -eu
cd "$(dirname "$0")/.."
if [ -n "${1:-}" ]; then
	bin/picket model make --data "$1" -o cmd/picket/default/model.zip
else
	bin/picket model make -o cmd/picket/default/model.zip
fi
go test -count=1 -run TestDefaultPackage ./cmd/picket -args -update
sha256sum cmd/picket/default/model.zip
