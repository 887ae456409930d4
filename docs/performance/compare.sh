#!/usr/bin/env bash
# Measures the library and its peers in turn, on one core and in one session, and writes the tables
# and plots of docs/performance.md.
#
#   docs/performance/compare.sh [DIR]
#
# DIR keeps the Python environment of the peers (default: a temporary one); it is filled by pip on the first run. It needs
# Go, Python 3, and gcc for what a fused C kernel takes. It takes some minutes; run it on
# a machine that does nothing else.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd -- "$here/../.."

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
environment=${1:-$work/peers}
if [[ ! -x $environment/bin/python ]]; then
	echo "installing the peers in $environment" >&2
	python3 -m venv "$environment"
	"$environment/bin/pip" install -q -r "$here/requirements.txt"
fi

go build -o "$work/bench" ./docs/performance/bench
if gcc -O3 -march=native "$here/fused.c" -o "$work/fused" -lm; then
	fused=$work/fused
else
	fused=true
fi
"$work/bench" -write-data "$work/pairs.jsonl"

# The last core, which the system uses least; where taskset is missing, any.
pin=()
if command -v taskset >/dev/null; then
	pin=(taskset -c "$(($(nproc) - 1))")
fi

results=$work/results.jsonl
{
	"$environment/bin/python" - <<-'VERSIONS'
		import importlib.metadata as m, json, platform
		print(json.dumps({"versions": {"python": platform.python_version()} | {p: m.version(p) for p in ("torch", "numpy", "transformers", "arviz", "pyarrow")}}))
	VERSIONS
	for group in logprob dpo rloo coverage sample loglinear jsonl; do
		echo "measuring $group" >&2
		# In turn, twice: the table takes the better of both, of ours and of the peers'.
		for round in 1 2; do
			"${pin[@]}" "$work/bench" -json -only "$group" -data "$work/pairs.jsonl" -budget 500ms
			"${pin[@]}" "$environment/bin/python" "$here/peers.py" --only "$group" --data "$work/pairs.jsonl" --seconds 0.5
			if [[ $group == logprob ]]; then
				"${pin[@]}" "$fused"
			fi
		done
	done
	echo "measuring two threads and growing sizes" >&2
	"$work/bench" -json -threads 2
	"${pin[@]}" "$work/bench" -json -scaling -budget 300ms
} | grep '^{' >"$results"
go run ./docs/performance/table "$results"
