#!/usr/bin/env bash
# make evaluation DATA=DIR: measures the shipped package, and what boosters learn
# from labelled tables, on the public sets in DIR; writes docs/evaluation.md.
#
#   bench/evaluation.sh DIR                 # every section, half an hour on two cores
#   bench/evaluation.sh DIR logs,westermo   # some sections anew, the others stay
set -euo pipefail
cd "$(dirname "$0")/.."
sections=${2:-}
python=
case ",${sections:-tables}," in
*,tables,*)
	if command -v python3 >/dev/null && sh bench/peers.sh; then
		python=.peers/xgb3/bin/python
	else
		echo "evaluation: no xgboost can be had here: nothing is compared with it" >&2
	fi
	;;
esac
exec go run ./bench/evaluation -data "${1:-}" -only "$sections" -python "$python"
