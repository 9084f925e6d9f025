#!/usr/bin/env bash
# make fuzz: every fuzz target of the repository, FUZZTIME each.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${FUZZTIME:-10m}
git grep -n '^func Fuzz' -- '*_test.go' | while IFS=: read -r file _ line; do
	target=${line#func }
	target=${target%%(*}
	echo "fuzz: $target of ./$(dirname "$file") for $time"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 20x "./$(dirname "$file")" </dev/null
done
