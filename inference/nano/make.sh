#!/usr/bin/env bash
# The whole recipe of ambit-nano: make.sh WORK MINUTES [PROCESSES]. Needs Debian's python3-torch,
# python3-numpy, g++ and libopenblas-dev, apt and npm; BUILD names a build of Ambit to evaluate with, PYTHON a
# Python whose PyTorch sees a CUDA device: then that trains (PyTorch 2.6 or newer, nvcc).
# For a trial that leaves the repository as it is: MODEL, the folder that is written instead of model/ (its
# golden logits then go to WORK/golden), PACKAGES, a shorter list than data/packages.txt, CASES (800) to evaluate by.
set -euo pipefail
if [ $# -lt 2 ]; then echo "usage: make.sh WORK MINUTES [PROCESSES]" >&2; exit 2; fi
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/../.." && pwd); work=$1; minutes=$2
export NANO_THREADS=${3:-2} OMP_NUM_THREADS=1
python=${PYTHON:-/usr/bin/python3} build=${BUILD:-$root/build/release}
model=${MODEL:-$here/model} golden=$root/tests/golden/nano
[ -z "${MODEL:-}" ] || golden=$work/golden
mkdir -p "$work" "$model"
[ -f "$work/files.jsonl" ] || "$python" "$here/data/fetch.py" "$work" ${PACKAGES:+"$PACKAGES"}
[ -d "$work/text" ] || "$python" "$here/data/choose.py" "$work"
released="$root/../shared/golden/tokenizer/tokenizer.json"
if [ ! -f "$model/tokenizer.json" ]; then
  [ -f "$released" ] || { echo "make.sh: no V4 tokenizer.json at $released to take the special tokens from" >&2; exit 1; }
  "$python" "$here/train/tokenizer.py" "$work/files.jsonl" "$released" "$model/tokenizer.json" 8192
fi
if [ -d "$root/../shared/golden" ]; then
  "$python" "$here/train/check_golden.py" "$root/../shared/golden"
else
  echo "make.sh: the graph is not checked: no ../shared/golden here"
fi
rm -f "$work/run/final.pt"
shape="$here/train/config_cpu.json" # what a CPU can train
what=("$work/text" "$model/tokenizer.json")
if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  shape="$here/train/config.json"
  "$python" "$here/train/gpu_test.py" "$shape"
  "$python" "$here/train/train_gpu.py" "${what[@]}" "$shape" "$work/run" $((minutes * 60))
  "$python" "$here/train/parts.py" "$work/run/final.pt" "$work/run/final.pt"
else
  "$python" "$here/train/fast_test.py" "$shape" "$work"
  "$python" "$here/train/train.py" "${what[@]}" "$shape" "$work/run" "$minutes"
fi
if [ ! -f "$work/run/final.pt" ]; then echo "make.sh: stopped before the end; the same command goes on"; exit 0; fi
"$python" "$here/train/export.py" "$work/run/final.pt" "$shape" "$model" "$golden"
if [ -x "$build/ambit" ]; then
  "$python" "$root/tests/bench/nano/evaluate.py" "$work/files.jsonl" "$model" "$build" "${CASES:-800}" | tee "$work/evaluation.json"
else
  echo "make.sh: not evaluated: no ambit in $build"
fi
