#!/usr/bin/env bash
# The whole recipe of ambit-nano: make.sh WORK MINUTES [THREADS]. Needs python3 with numpy and torch, apt and npm.
set -euo pipefail
if [ $# -lt 2 ]; then echo "usage: make.sh WORK MINUTES [THREADS]" >&2; exit 2; fi
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/../.." && pwd); work=$1; minutes=$2
export NANO_THREADS=${3:-2} OMP_NUM_THREADS=${3:-2}
python=${PYTHON:-/usr/bin/python3}
mkdir -p "$work" "$here/model"
[ -f "$work/files.jsonl" ] || "$python" "$here/data/fetch.py" "$work"
released="$root/../shared/golden/tokenizer/tokenizer.json"
if [ ! -f "$here/model/tokenizer.json" ]; then
  [ -f "$released" ] || { echo "make.sh: no V4 tokenizer.json at $released to take the special tokens from" >&2; exit 1; }
  "$python" "$here/train/tokenizer.py" "$work/files.jsonl" "$released" "$here/model/tokenizer.json" 4096
fi
if [ -d "$root/../shared/golden" ]; then
  "$python" "$here/train/check_golden.py" "$root/../shared/golden"
else
  echo "make.sh: the graph is not checked: no ../shared/golden here"
fi
"$python" "$here/train/train.py" "$work/files.jsonl" "$here/model/tokenizer.json" "$here/train/config.json" "$work/run" "$minutes"
"$python" "$here/train/export.py" "$work/run/final.pt" "$here/train/config.json" "$here/model" "$root/tests/golden/nano"
"$python" "$root/tests/bench/nano/evaluate.py" "$work/files.jsonl" "$here/model" | tee "$work/evaluation.json"
