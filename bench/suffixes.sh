#!/usr/bin/env bash
# Writes pipeline/extract/names/suffixes.txt: the rules of the public suffix list that
# golang.org/x/net has, in the version of go.mod. Run it when that version changes;
# TestSuffixes says so.
set -euo pipefail
cd "$(dirname "$0")/.."
from=$(go list -m -f '{{.Dir}}' golang.org/x/net)/publicsuffix
{
	echo "# Rules of the public suffix list (MPL-2.0, https://mozilla.org/MPL/2.0/), made by bench/suffixes.sh from"
	sed -n 's/^const version = "\(.*\)"$/# \1/p' "$from/table.go"
	awk '/^const numICANNRules/ { registry = $4 }
	     /^var rules/ { on = 1; next }
	     on && /^}/ { exit }
	     on { if (n++ == registry) print "# Rules of services, no registries:"; gsub(/[\t",]/, ""); print }' "$from/table_test.go"
} >pipeline/extract/names/suffixes.txt
