#!/usr/bin/env bash
# resources.sh SOURCE_DIR ARCH...: compiles every CUDA kernel for each architecture and holds what ptxas reports to the budget:
# no spills and at most 128 registers (two blocks of 256 threads a multiprocessor on every card); the tiles of linear_many.cu
# may take 255 (one block: their 64 sums a lane are what they exist for), and so may those of attention.cu and index.cu for
# few tokens (one block, with all of a chunk's loads on the way at once). And both linear files fetch weights 16 bytes
# at a time; they, attention.cu and index.cu multiply on the matrix units.
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
    awk -v file="$(basename "$file") sm_$arch" '
      /Compiling entry function/ { split($0, part, "\047"); entry = part[2]; limit = entry ~ /(dense|expert)_many_kernel|(scores|values)_kernelINS._4TileILi1E|rounded_scores_kernelILi1E/ ? 255 : 128 }
      /bytes spill/ && !/ 0 bytes spill stores, 0 bytes spill loads/ { print file ": " entry " spills"; bad = 1 }
      /Used [0-9]+ registers/ { match($0, /Used [0-9]+/); n = substr($0, RSTART + 5, RLENGTH - 5) + 0; if (n > most) most = n
        if (n > limit) { print file ": " entry " takes " n " registers"; bad = 1 } }
      END { print file ": at most " most + 0 " registers"; exit bad }' "$work/log" || bad=1
  done
done
for file in linear linear_many attention index; do
  "$nvcc" -std=c++20 "-arch=sm_$1" -I"$source_dir" -ptx -o "$work/$file.ptx" "$source_dir/inference/ops/cuda/$file.cu" || bad=1
  grep -q 'mma\.sync\.aligned\.m16n8k16' "$work/$file.ptx" || { echo "$file.cu: no matrix instructions"; bad=1; }
done
grep -qE 'ld\.(global\.)?(nc\.)?v4\.[bu]32' "$work/linear.ptx" || { echo "linear.cu: no 16-byte loads of weights"; bad=1; }
grep -qE 'cp\.async\.cg\.shared\.global .*, 16' "$work/linear_many.ptx" || { echo "linear_many.cu: no 16-byte copies of weights"; bad=1; }
exit $bad
