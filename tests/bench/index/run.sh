#!/usr/bin/env bash
# What indexing a tree costs, beside ctags (definitions alone) and cindex (trigrams alone), in one
# run on one machine:
#   tests/bench/index/run.sh TREE [THREADS]
# Prints per tool: CPU seconds, wall seconds, peak memory, size of the index against the source; then
# what a second look, a history walk and single questions cost. Needs ambit on PATH or $AMBIT;
# ctags (universal-ctags) and cindex (codesearch) where they are installed. Writes below $TMPDIR only.
set -euo pipefail
tree=$(realpath "$1")
threads=${2:-2}
ambit=${AMBIT:-ambit}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME="$work/cache" XDG_CONFIG_HOME="$work/config"
mkdir -p "$work/config/ambit"
printf '[index]\nthreads = %s\n' "$threads" >"$work/config/ambit/config.toml"

source_bytes=$(find "$tree" -name .git -prune -o -type f -printf '%s\n' | awk '{s += $1} END {print s}')
printf '%s: %s files, %s MB; load %s\n' "$tree" \
  "$(find "$tree" -name .git -prune -o -type f -print | wc -l)" "$((source_bytes / 1000000))" \
  "$(cut -d' ' -f1 /proc/loadavg)"
printf '%-26s %9s %9s %9s %12s %8s\n' tool 'CPU s' 'wall s' 'peak MB' 'index bytes' 'percent'

# row NAME INDEX_PATH COMMAND...
row() {
  local name=$1 index=$2
  shift 2
  /usr/bin/time -o "$work/time" -f '%U %S %e %M' "$@" >"$work/out" 2>"$work/err" || {
    printf '%-26s failed: %s\n' "$name" "$(tail -1 "$work/err")"
    return
  }
  local bytes=0
  [ -e "$index" ] && bytes=$(find "$index" -type f -printf '%s\n' | awk '{s += $1} END {print s + 0}')
  awk -v name="$name" -v bytes="$bytes" -v source="$source_bytes" \
    '{printf "%-26s %9.2f %9.2f %9.0f %12d %7.1f%%\n", name, $1 + $2, $3, $4 / 1024, bytes, 100 * bytes / source}' \
    "$work/time"
}

row "ambit, cold, $threads threads" "$work/cache/ambit/index" "$ambit" index build "$tree"
row 'ambit, nothing changed' "$work/cache/ambit/index" "$ambit" index build "$tree"
if command -v ctags >/dev/null; then
  row 'ctags, definitions' "$work/tags" ctags -R --links=no -f "$work/tags" "$tree"
fi
if command -v cindex >/dev/null; then
  export CSEARCHINDEX="$work/csearch"
  row 'cindex, trigrams' "$work/csearch" cindex "$tree"
fi
