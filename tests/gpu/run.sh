#!/usr/bin/env bash
# run.sh [MODEL]: on a machine with an NVIDIA card, builds libambit_cuda.so for that card and runs on it: every kernel against
# its reference, the golden checkpoints, each kernel's speed at V4-Flash's shapes, and a model end to end (MODEL, else the
# golden q-c). Under ten minutes on 8 cores. AMBIT_CUDA_LIBRARY=PATH takes a library that is there already, which is how the
# script itself is tested where there is no card.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/cuda
jobs=$(nproc)
if [ -z "${AMBIT_CUDA_LIBRARY:-}" ]; then
  command -v nvcc >/dev/null || PATH=$PATH:/usr/local/cuda/bin
  command -v nvcc >/dev/null || { echo "nvcc is not here: install the CUDA toolkit 12.8 or later" >&2; exit 3; }
  nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader ||
    { echo "nvidia-smi finds no card" >&2; exit 3; }
  bash indexer/syntax/grammars/install.sh
  cmake --preset cuda -DAMBIT_CUDA_ARCHITECTURES=native >/dev/null
  cmake --build $build -j"$jobs" --target ambit ambit_cuda cuda_ops_test cuda_model_test cuda_bench
  export AMBIT_CUDA_LIBRARY=$PWD/$build/libambit_cuda.so
else
  build=${AMBIT_BUILD:-build/release}
fi
failed=0
step() {
  echo "== $1"; shift
  local since=$SECONDS
  "$@" || { echo "FAILED: $*"; failed=1; }
  echo "   $((SECONDS - since)) s"
}
step "kernels against their references" "$build/cuda_ops_test" --gtest_brief=1
step "golden checkpoints and paths" env AMBIT_CUDA_ALL="${AMBIT_CUDA_ALL-1}" "$build/cuda_model_test" --gtest_brief=1
step "speed of each kernel" "$build/cuda_bench" ${AMBIT_BENCH_SHAPES:-}
model=${1:-}
for golden in tests/golden/q-c ../shared/golden/q-c; do
  [ -n "$model" ] || { [ -d $golden ] && model=$golden; }
done
if [ -n "$model" ]; then
  step "end to end, $model" "$build/ambit" model bench --model "$model" --backend cuda --prompt "${AMBIT_BENCH_PROMPT:-512}" \
    --gen "${AMBIT_BENCH_GEN:-64}"
else
  echo "end to end: skipped, there is no model (give one: tests/gpu/run.sh PATH)"
fi
exit $failed
