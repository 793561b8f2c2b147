#!/usr/bin/env bash
# run.sh [MODEL]: on a machine with an NVIDIA card, builds libambit_cuda.so for that card and runs on it: every kernel against
# its reference, plainly and under compute-sanitizer, the golden checkpoints, each kernel's speed at V4-Flash's shapes, 4 and 8
# layers of Flash with random weights, and a model end to end (MODEL, else the golden q-c). Under ten minutes on 8 cores; the
# layers take 33 GB of /dev/shm and of the card, and are left out with a word where there is less. AMBIT_CUDA_LIBRARY=PATH takes a library that is there already, which is how the
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
  cmake --build $build -j"$jobs" --target ambit ambit_cuda cuda_ops_test cuda_model_test cuda_cards_test cuda_bench
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
step "several cards, where there are some" "$build/cuda_cards_test" --gtest_brief=1
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck; do
    step "kernels under compute-sanitizer $tool" compute-sanitizer --tool $tool --error-exitcode 9 "$build/cuda_ops_test" --gtest_brief=1
  done
else
  echo "compute-sanitizer: skipped, it is not on this machine"
fi
step "speed of each kernel" "$build/cuda_bench" ${AMBIT_BENCH_SHAPES:-}

# Two sizes of one checkpoint: their difference is what four layers cost, the rest is embedding and head. Extrapolated to 43.
layers() {
  local work; work=$(mktemp -d /dev/shm/ambit-layers.XXXXXX)
  python3 tests/bench/engine/random_checkpoint.py flash:8 native "$work/flash" || { rm -rf "$work"; return 1; }
  local n depth rates=""
  for depth in 0 126976; do
    for n in flash-4 flash; do
      "$build/cuda_bench" model "$work/$n" 4096 256 $depth | tee "$work/out" || { rm -rf "$work"; return 1; }
      rates="$rates $(awk '/^prefill/ {p = $2} /^decode/ {d = $2} END {print p, d}' "$work/out")"
    done
    echo "$rates" | awk -v depth=$depth '{
      for (i = 1; i <= 2; ++i) { layer = (1 / $(i + 2) - 1 / $i) / 4; rest = 1 / $i - 4 * layer; all[i] = 1 / (rest + 43 * layer); us[i] = layer * 1e6 }
      printf "behind %d tokens: a layer takes %.1f us a token to read and %.1f us to decode; 43 layers: %.0f and %.1f tokens/s\n", depth, us[1], us[2], all[1], all[2] }'
    rates=""
  done
  rm -rf "$work"
}
free_gb=$(df --output=avail -BG /dev/shm 2>/dev/null | tail -1 | tr -dc 0-9)
card_mb=$(nvidia-smi --query-gpu=memory.free --format=csv,noheader,nounits 2>/dev/null | head -1)
if [ "${free_gb:-0}" -ge 34 ] && [ "${card_mb:-0}" -ge 40000 ] && [ -z "${AMBIT_BENCH_SHAPES:-}" ]; then
  step "layers of Flash" layers
else
  echo "layers of Flash: skipped, they need 34 GB of /dev/shm (${free_gb:-0} here) and 40 GB of the card (${card_mb:-0} MB here)"
fi
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
