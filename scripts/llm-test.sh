#!/usr/bin/env bash
# Runs the tests of policy/served against a real language model on 127.0.0.1: starts it by
# llm-server.sh, tests, stops it. Where Python with pip cannot install the server in time,
# it says so in one line and succeeds.
#
#   scripts/llm-test.sh          llama.cpp's own server
#   scripts/llm-test.sh python   and the echoing one, which is compiled first
#
# LLM_DIR keeps the installation for the next run (default: a temporary directory),
# LLM_INSTALL_SECONDS bounds it (default: 240, or 1800 with python).
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

tmp=$(mktemp -d)
dir=${LLM_DIR:-$tmp/llm}
pids=()
finish() {
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
	done
	rm -rf -- "$tmp"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

skip() {
	echo "real-LLM tests skipped: $1"
	exit 0
}

python3 -c 'import ensurepip, venv' 2>/dev/null || skip "no python3 with venv and pip"
command -v curl >/dev/null || skip "no curl"

kinds=(native)
limit=${LLM_INSTALL_SECONDS:-240}
if [[ ${1:-} == python ]]; then
	kinds+=(python)
	limit=${LLM_INSTALL_SECONDS:-1800}
fi

# serve KIND starts a server and sets url.
serve() {
	local port begin=$SECONDS
	INSTALL_ONLY=1 timeout "$limit" nice -n 10 scripts/llm-server.sh "$1" 0 "$dir" >"$tmp/install.log" 2>&1 ||
		skip "no $1 server from pip within $limit s. $(tail -n 1 "$tmp/install.log")"
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	nice -n 10 scripts/llm-server.sh "$1" "$port" "$dir" 1 >"$tmp/$1.log" 2>&1 &
	pids+=($!)
	url=http://127.0.0.1:$port
	for _ in $(seq 240); do
		if curl -fsS -m 5 "$url/v1/models" >/dev/null 2>&1; then
			echo "$1 server after $((SECONDS - begin)) s"
			return
		fi
		kill -0 "${pids[-1]}" 2>/dev/null || break
		sleep 0.5
	done
	tail -n 20 "$tmp/$1.log" >&2
	echo "the $1 server does not come up" >&2
	exit 1
}

for kind in "${kinds[@]}"; do
	serve "$kind"
	if [[ $kind == native ]]; then
		export LLM_URL=$url
	else
		export LLM_ECHO_URL=$url
	fi
done
nice -n 10 go test -tags llm -count 1 -timeout 20m -v -run '^TestLLM' ./policy/served
