#!/usr/bin/env bash
# make e2e: what is slow or needs peers: the kill test, latency, bounded memory,
# the slow examples, gbdt against real XGBoost, and the AWS system on an emulator.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "picket: error: Go is not installed" >&2; echo "picket: hint: https://go.dev/dl, version $(awk '/^go /{print $2}' go.mod) or newer" >&2; exit 1; }

# Say at once what is missing, then run what can run.
missing=
if ! command -v python3 >/dev/null; then
	missing="python3"
elif ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
	missing="python3's venv module"
elif [ "$(uname -s)" != Linux ]; then
	missing="wheels of xgboost-cpu, which are for Linux"
elif ! sh bench/peers.sh; then
	missing="xgboost from the package index"
fi

# qemu tells whether arm64 computes the same bits. Debian has it; without root it
# runs from where its package is unpacked.
qemu() {
	command -v qemu-aarch64-static && return
	local found=.peers/qemu/usr/bin/qemu-aarch64-static
	if [ ! -x "$found" ] && command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
		mkdir -p .peers/qemu
		(cd .peers/qemu && apt-get download -qq qemu-user-static >&2 && dpkg -x qemu-user-static_*.deb . && rm ./*.deb) || true
	fi
	[ ! -x "$found" ] || echo "$PWD/$found"
}
noqemu=
PICKET_QEMU=$(qemu)
export PICKET_QEMU
if [ -z "$PICKET_QEMU" ] || [ "$(go env GOARCH)" != amd64 ]; then
	noqemu="qemu-aarch64-static (Debian's qemu-user-static) on amd64"
	echo "e2e: $noqemu is missing: arm64 is not tried" >&2
fi
packages="./cmd/picket ./pipeline ./gbdt"
export PICKET_XGB3=$PWD/.peers/xgb3/bin/python PICKET_XGB17=$PWD/.peers/xgb17/bin/python
export PICKET_SAGEMAKER=$PWD/.peers/sagemaker/bin/python
if [ -n "$missing" ]; then
	echo "e2e: $missing is missing: gbdt is not compared with real XGBoost" >&2
fi
skip=${missing:+TestPeers|TestBuiltIn|TestContainerShapes}
[ -z "$noqemu" ] || skip=${skip:+$skip|}TestARM64
# A child's peak memory counts its parent's: what measures it runs by itself.
go test -tags e2e -run 'TestMemory$' -count=1 -v ./cmd/picket
skip="${skip:+$skip|}TestMemory$|TestAWS$"
go test -tags e2e -skip "$skip" -count=1 -timeout 14m -v $packages | awk '!/^ *(=== |--- PASS.*\/)/'
# The AWS templates: linters, and a simulator of IAM that answers questions about them.
notools=
if sh bench/aws-tools.sh; then
	PICKET_PEERS=$PWD/.peers go test -tags e2e -run 'TestTools' -count=1 -v ./aws/template | awk '!/^ *=== /'
else
	notools="cfn-lint, checkov, parliament (Python) or iam-simulate (Node)"
	echo "e2e: $notools is missing: the templates are not linted and no policy is simulated" >&2
fi
# The AWS system, deployed by picket deploy itself.
noemulator=
code=0
bench/aws.sh || code=$?
if [ $code = 3 ]; then
	noemulator="the emulator ministack (Python)"
	echo "e2e: $noemulator is missing: nothing is deployed" >&2
elif [ $code != 0 ]; then
	exit $code
fi
[ -z "$noemulator" ] || echo "e2e: passed, but for what needs $noemulator" >&2
[ -z "$noqemu" ] || echo "e2e: passed, but for what needs $noqemu" >&2
[ -z "$missing" ] || echo "e2e: passed, but for what needs $missing" >&2
[ -z "$notools" ] || echo "e2e: passed, but for what needs $notools" >&2
