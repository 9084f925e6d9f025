#!/bin/sh
# Makes the embedded default package again: bench/model.sh [DATA]
# About twenty minutes on two cores. DATA, if given, is the folder of public sets; the
# captures that the package is judged by must then be there, byte by byte, and its
# model card says what it does on a real one, too. The booster for names is learned
# from the lists there; without DATA the one of the package is kept.
set -eu
cd "$(dirname "$0")/.."
names=$(mktemp)
trap 'rm -f "$names"' EXIT
bin/picket model names --from cmd/picket/default/model.zip -o "$names"
if [ -n "${1:-}" ]; then
	go run ./bench/evaluation -check -data "$1" zeek-btest-pcaps westermo ddos-pcaps-stopddos zeek-apt29-otrf jpcert-phishurl phish-polkadot benign-domains
	bin/picket model names --data "$1" -o "$names"
	bin/picket model make --data "$1" -o cmd/picket/default/model.zip
	go run ./bench/evaluation -data "$1" -card cmd/picket/default/model.zip
else
	bin/picket model make -o cmd/picket/default/model.zip
fi
bin/picket model names --from "$names" --into cmd/picket/default/model.zip -o cmd/picket/default/model.zip
bin/picket model access --into cmd/picket/default/model.zip -o cmd/picket/default/model.zip
go test -count=1 -run TestDefaultPackage ./cmd/picket -args -update
sha256sum cmd/picket/default/model.zip
