#!/usr/bin/env bash
# The whole recipe of ambit-nano: make.sh WORK MINUTES [PROCESSES]. Needs Debian's python3-torch,
# python3-numpy, g++ and libopenblas-dev, apt and npm; BUILD names a build of Ambit to evaluate with.
set -euo pipefail
if [ $# -lt 2 ]; then echo "usage: make.sh WORK MINUTES [PROCESSES]" >&2; exit 2; fi
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/../.." && pwd); work=$1; minutes=$2
export NANO_THREADS=${3:-2} OMP_NUM_THREADS=1
python=${PYTHON:-/usr/bin/python3} build=${BUILD:-$root/build/release}
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
"$python" "$here/train/fast_test.py" "$here/train/config.json" "$work"
rm -f "$work/run/final.pt"
"$python" "$here/train/train.py" "$work/files.jsonl" "$here/model/tokenizer.json" "$here/train/config.json" "$work/run" "$minutes"
if [ ! -f "$work/run/final.pt" ]; then echo "make.sh: stopped before the end; the same command goes on"; exit 0; fi
"$python" "$here/train/export.py" "$work/run/final.pt" "$here/train/config.json" "$here/model" "$root/tests/golden/nano"
if [ -x "$build/ambit" ]; then
  "$python" "$root/tests/bench/nano/evaluate.py" "$work/files.jsonl" "$here/model" "$build" | tee "$work/evaluation.json"
else
  echo "make.sh: not evaluated: no ambit in $build"
fi
