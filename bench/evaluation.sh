#!/usr/bin/env bash
# make evaluation DATA=DIR: what the shipped package says of the public sets, and
# what a booster learns from the labelled tables; writes docs/evaluation.md.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${1:-}
for set in zeek-btest-pcaps ddos-pcaps-stopddos zeek-apt29-otrf westermo nsl-kdd unsw-nb15; do
	[ -d "$data/$set" ] || { echo "picket: error: no $set in DATA=$data (see docs/data.md)" >&2; exit 1; }
done
picket=$PWD/bin/picket
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m zipfile -e "$data/westermo/right.zip" "$work/westermo"

# detect FILE prints one row: what was read and what was found.
detect() {
	"$picket" detect -o csv "$1" >"$work/found.csv" 2>"$work/said" || true
	local read found
	read=$(sed -n 's/^read [^:]*: //p; s/^picket: error: //p' "$work/said" | head -1)
	found=$(tail -n +2 "$work/found.csv" | awk -F, '{print $2" "$10" "$5" "$6" ("substr($4,1,4)")"}' | paste -sd';' | sed 's/;/; /g')
	echo "| $2 | $read | ${found:-nothing} |"
}

{
	echo "# Evaluation"
	echo
	echo "Made by \`make evaluation DATA=DIR\`. Bad figures stand beside the good ones."
	echo
	echo "## Simulated → real: the shipped package on real logs"
	echo
	echo "The package learned from simulated networks alone. These captures were looked at"
	echo "while its thresholds were chosen, so they are no unseen test. Command: \`picket detect -o csv FILE\`."
	echo
	echo "| log | read | found: class, type, entity (confidence) |"
	echo "|---|---|---|"
	for f in "$data"/zeek-btest-pcaps/*.pcap* "$data"/ddos-pcaps-stopddos/*.pcap* "$work"/westermo/*/*.pcap "$work"/westermo/*.pcap "$data"/zeek-apt29-otrf/day*/zeek/individual_zeek_logs/*_conn.log; do
		[ -f "$f" ] && detect "$f" "$(basename "$f")"
	done
	echo
	echo "## Simulated → simulated: the shipped package on networks that it has not seen"
	echo
	echo '```'
	"$picket" model show --data "$work/registry" 2>/dev/null | sed -n '/^BOOSTER/,$p'
	echo '```'
	echo
	echo "## Labelled tables"
	echo
	echo "\`picket train --table\`; the threshold is from training data alone."
	echo
	cut -d, -f1 "$data/nsl-kdd/field_names.csv" | tr -d '\r' >"$work/columns"
	for name in label difficulty; do grep -qx "$name" "$work/columns" || echo "$name" >>"$work/columns"; done
	echo "NSL-KDD, 20 % train, tested on Test+ and Test-21:"
	echo
	echo '```'
	"$picket" train --table "$data/nsl-kdd/KDDTrain+_20Percent.txt.gz" --columns "$work/columns" --label label --drop difficulty \
		--test "$data/nsl-kdd/KDDTest+.txt.gz" --test "$data/nsl-kdd/KDDTest-21.txt.gz" -o "$work/nsl.zip" 2>&1 | sed "s|$data/||g" | grep -v '^table  *[a-z]' || true
	echo '```'
	echo
	echo "UNSW-NB15, the 82,332-row part, a fifth held out, identical rows kept together:"
	echo
	echo '```'
	"$picket" train --table "$data/unsw-nb15/UNSW_NB15_training-set.csv.zip" --label label --drop id,attack_cat --param max_depth=8 -o "$work/unsw.zip" 2>&1 | sed "s|$data/||g" || true
	echo '```'
} >"$work/evaluation.md"
mv "$work/evaluation.md" docs/evaluation.md
echo "wrote docs/evaluation.md"
