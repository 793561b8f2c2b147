#!/usr/bin/env bash
# What a checkout and a second worktree cost the index:
#   tests/bench/index/checkout.sh TREE [FILES]
# Makes a git repository of a copy of TREE below $TMPDIR, changes FILES files (1000) on a branch, and
# prints for each step the seconds that `ambit index build` takes as a new process, the files that it
# had to read, and what the store grew by. Needs ambit on PATH or $AMBIT.
set -euo pipefail
tree=$(realpath "$1")
files=${2:-1000}
ambit=${AMBIT:-ambit}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME="$work/cache" XDG_CONFIG_HOME="$work/config"
mkdir -p "$work/config/ambit" "$work/cache"
printf '[index]\nthreads = 2\n' >"$work/config/ambit/config.toml"
repo=$work/repo
cp -r "$tree" "$repo"
rm -rf "$repo/.git"
g() { git -C "$repo" -c user.name=t -c user.email=t@localhost -c commit.gpgsign=false "$@"; }
git init -q -b main "$repo"
g add -A >/dev/null 2>&1
g commit -qm one
g branch other
g checkout -q other
g ls-files | grep -E '\.(c|h|cc|cpp|ts|py|go|rs|java)$' | shuf -n "$files" --random-source=<(yes) |
  while read -r f; do printf '\n/* changed */\n' >>"$repo/$f"; done
g commit -qam two
g checkout -q main
sleep 3 # older than git's and our own doubt about times

store() { find "$work/cache" -type f -printf '%s\n' | awk '{s += $1} END {print s + 0}'; }
step() {
  local before after
  before=$(store)
  "$ambit" index build "${2:-$repo}" --json >"$work/report" 2>/dev/null
  after=$(store)
  python3 - "$1" "$work/report" $((after - before)) <<'P'
import json, sys
r = json.load(open(sys.argv[2]))
print(f"{sys.argv[1]:<36} {r['seconds']:8.3f} s  {r['files'] - r['reused_files']:7} files not known  "
      f"store +{int(sys.argv[3]) / 1e6:.3f} MB")
P
}
step 'cold'
step 'nothing changed'
g checkout -q other
step "checkout, $files files changed"
g checkout -q main
step 'checkout back'
g worktree add -q --detach "$work/second" main
sleep 3
step 'a second worktree, the same files' "$work/second"
