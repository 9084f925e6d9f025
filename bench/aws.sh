#!/usr/bin/env bash
# The AWS system from end to end: picket deploy, raw logs, findings, status, redrive,
# destroy.
#
#   bench/aws.sh         # on an emulator (ministack, in .peers/): part of make e2e
#   bench/aws.sh bench   # the same, and more objects are timed, into docs/benchmarks.md
#   bench/aws.sh real    # make e2e-aws: in the account of your AWS credentials
#
# Exit code 3: the emulator cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-emulator}

if [ "$mode" = real ]; then
	: "${AWS_REGION:?name the region in which a stack picket-e2e may be made and removed again}"
	export PICKET_E2E_AWS=1
	echo "e2e-aws: makes and removes stack picket-e2e in $AWS_REGION with your credentials; it costs some cents" >&2
else
	export PICKET_MINISTACK=$PWD/.peers/ministack/bin/ministack
	wanted=ministack==1.5.33
	if [ "$(cat .peers/ministack/made 2>/dev/null)" != "$wanted" ]; then
		mkdir -p .peers
		rm -rf .peers/ministack
		{ python3 -m venv .peers/ministack && .peers/ministack/bin/pip install --quiet --disable-pip-version-check "$wanted"; } || exit 3
		echo "$wanted" >.peers/ministack/made
	fi
fi
[ "$mode" != bench ] || export PICKET_AWS_PUTS=${PUTS:-50} PICKET_AWS_WRITE=$PWD/docs/benchmarks.md

# The functions alone, as picket deploy builds them where it has the toolchain.
export PICKET_BIN=$PWD/bin/bootstrap
CGO_ENABLED=0 GOOS=linux go build -trimpath -tags lambda.norpc -ldflags "-s -w" -o "$PICKET_BIN" ./cmd/bootstrap
go test -tags e2e -run 'TestAWS$' -count=1 -timeout 15m -v ./cmd/picket | awk '!/_IN_PROGRESS|_COMPLETE |"_aws"|^ *=== /'
