#!/usr/bin/env bash
# resources.sh SOURCE_DIR ARCH...: compiles every CUDA kernel for each architecture and holds what ptxas reports to the budget:
# no spills, at most 128 registers (two blocks of 256 threads a multiprocessor on every card); and the weights of the GEMV are
# read 16 bytes at a time.
set -uo pipefail
source_dir=$1; shift
nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
[ -x "$nvcc" ] || { echo "skipped: there is no nvcc on this machine"; exit 77; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
bad=0
for arch in "$@"; do
  for file in "$source_dir"/inference/ops/cuda/*.cu; do
    "$nvcc" -std=c++20 "-arch=sm_$arch" -I"$source_dir" -Xptxas -v -cubin -o "$work/out.cubin" "$file" >"$work/log" 2>&1 ||
      { echo "$file does not compile for sm_$arch"; cat "$work/log"; bad=1; continue; }
    most=$(grep -o 'Used [0-9]* registers' "$work/log" | awk '{print $2}' | sort -n | tail -1)
    if grep -oE '[0-9]+ bytes spill (stores|loads)' "$work/log" | grep -qv '^0 '; then echo "$(basename "$file") sm_$arch: spills"; bad=1; fi
    if [ "${most:-999}" -gt 128 ]; then echo "$(basename "$file") sm_$arch: $most registers"; bad=1; fi
    echo "$(basename "$file") sm_$arch: at most $most registers"
  done
done
"$nvcc" -std=c++20 "-arch=sm_$1" -I"$source_dir" -ptx -o "$work/gemv.ptx" "$source_dir/inference/ops/cuda/gemv.cu" || bad=1
grep -qE 'ld\.(global|param|local)?\.?(nc\.)?v4\.(u|b)32' "$work/gemv.ptx" || { echo "gemv.cu: no 16-byte loads of weights"; bad=1; }
exit $bad
