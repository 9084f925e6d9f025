#!/usr/bin/env bash
# make life: one real record followed through every stage, with the objects
# printed; writes docs/life-of-a-record.md.
set -euo pipefail
cd "$(dirname "$0")/.."
picket=$PWD/bin/picket
log=testdata/logs/ssh-guessing.pcap
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$picket" detect --keep "$work/bucket" -o jsonl "$log" >"$work/finding.jsonl" 2>"$work/said"
uid=$("$picket" detect -q -o csv "$log" | sed -n '2s/,.*//p')

# show prints a command and what it prints.
show() {
	echo
	echo '```'
	echo "\$ $1"
	cat
	echo '```'
	echo
}

{
	echo "# The life of a record"
	echo
	echo "Made by \`make life\` from \`$log\`, a real capture of somebody guessing SSH"
	echo "passwords (its source and licence stand in testdata/logs/README.md). Every object"
	echo "below is what Picket wrote."
	echo
	echo "## Raw log → record"
	echo
	echo "The capture begins with its file header; each packet becomes one record, each line"
	echo "is counted, and what could not be read would stand in quarantine/."
	od -A d -t x1z -N 96 "$log" | show "od -A d -t x1z -N 96 $log"
	show "picket detect --keep bucket $log" <"$work/said"
	echo "## Record → window"
	echo
	echo "The records are summed into one row per conversation and minute, in a part for the"
	echo "hour. The first line of a part says where it came from; a manifest lists the parts."
	(cd "$work/bucket" && find windows features findings -type f | sort) | show "find bucket -type f"
	head -1 "$(find "$work/bucket/windows" -type f -path '*pcap*' | head -1)" | show "head -1 bucket/windows/*/pcap/*"
	echo "## Window → features"
	"$picket" features --window 1m --entity 192.168.56.1 -o csv -q "$log" | awk -F, 'NR==1{for(i=1;i<=NF;i++)n[i]=$i} NR==2{for(i=1;i<=24;i++)print n[i]" = "$i; print "..."}' | show "picket features --window 1m --entity 192.168.56.1 $log"
	echo "## Features → score"
	"$picket" score -q "$log" | head -4 | show "picket score $log"
	echo "## Score → finding"
	echo
	echo "The finding as an OCSF Detection Finding, its first 1,500 characters:"
	head -c 1500 "$work/finding.jsonl" | fold -w 110 | show "picket detect -o jsonl $log"
	echo "And why it fired, with the rows behind it:"
	"$picket" explain --data "$work/bucket" --rows 5 "$uid" | cut -c1-160 | show "picket explain --data bucket --rows 5 $uid"
} >"$work/life.md"
mv "$work/life.md" docs/life-of-a-record.md
echo "wrote docs/life-of-a-record.md"
