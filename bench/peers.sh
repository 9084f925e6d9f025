#!/bin/sh
# Makes the Python environments that the e2e tests and benchmarks compare with:
# .peers/xgb3 and .peers/xgb17, with pinned versions. Runs again for nothing.
#
#   sh bench/peers.sh          # for make e2e
#   sh bench/peers.sh server   # and gunicorn beside xgboost, for bench/server.sh
#   sh bench/peers.sh ingest   # duckdb, gopacket and argus alone, for bench/ingest.sh
#   sh bench/peers.sh bench    # and more of xgboost, lightgbm, catboost, scikit-learn for bench/gbdt
set -eu
cd "$(dirname "$0")/.."

# venv NAME PACKAGES: makes .peers/NAME if it does not hold exactly PACKAGES.
venv() {
	name=$1
	shift
	if [ "$(cat ".peers/$name/made" 2>/dev/null)" = "$*" ]; then
		return
	fi
	rm -rf ".peers/$name"
	python3 -m venv ".peers/$name"
	".peers/$name/bin/pip" install --quiet --disable-pip-version-check "$@"
	echo "$*" >".peers/$name/made"
}

mkdir -p .peers
if [ "${1:-}" = ingest ]; then
	venv ingest duckdb==2.0.1
	if [ ! -x .peers/gopacket/peer ]; then
		mkdir -p .peers/gopacket
		(cd bench/ingest/gopacket && GOFLAGS=-mod=mod CGO_ENABLED=0 go build -o ../../../.peers/gopacket/peer .)
	fi
	# argus is Debian's; without root it runs from where its package is unpacked.
	if [ ! -x .peers/argus/usr/sbin/argus ] && command -v apt-get >/dev/null; then
		mkdir -p .peers/argus
		(cd .peers/argus && apt-get download -qq argus-server libpcap0.8 libtirpc3 libsasl2-2 libwrap0 >&2 && for d in ./*.deb; do dpkg -x "$d" .; done && rm ./*.deb) ||
			echo "argus is not to be had: its row is left out" >&2
	fi
	exit
fi
venv xgb3 xgboost-cpu==3.2.0 numpy==2.4.6 scipy==1.17.1
venv xgb17 xgboost==1.7.4 numpy==1.26.4 scipy==1.13.1
# What SageMaker's built-in container 3.0-5 pins, and SageMaker's own API shapes.
venv sagemaker xgboost-cpu==3.0.5 numpy==2.4.6 scipy==1.17.1 botocore==1.44.5
if [ "${1:-}" = bench ]; then
	# Newer than 3.2 asks for Python 3.12 but runs on 3.11.
	venv xgb34 --ignore-requires-python xgboost-cpu==3.4.1 numpy==2.4.6 scipy==1.17.1
	venv xgb305 xgboost-cpu==3.0.5 numpy==2.4.6 scipy==1.17.1
	venv others lightgbm==4.7.0 catboost==1.2.10 scikit-learn==1.9.1
fi
if [ "${1:-}" = server ]; then
	venv server xgboost-cpu==3.2.0 numpy==2.4.6 scipy==1.17.1 gunicorn==27.0.1
fi
