#!/usr/bin/env bash
# From a fresh checkout to a first completion:  bash daemon/try.sh [REPO]
# Installs what is missing (says what and why first), builds, indexes REPO (default: Ambit itself), completes at a sample
# position, reviews a sample staged change, and says how to attach VS Code and Neovim. REPO is only read.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
repo=$(realpath -e -- "${1:-$top}" 2>/dev/null) || { echo "try: no folder ${1:-}" >&2; exit 2; }
cd "$top"
ambit=$top/build/release/ambit
log=$(mktemp)
scratch=$(mktemp -d)
trap 'rm -rf "$log" "$log.err" "$scratch"' EXIT
rc=0
# A daemon of its own, so that one which your editors use stays as it is.
mkdir -m 700 "$scratch/run"
export XDG_RUNTIME_DIR=$scratch/run

bold='' dim='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; fi
now() { date +%s%N; }
step() { printf '%s%s%s\n' "$bold" "$1" "$plain"; started=$(now); }
done_in() { printf '  %s%s%d ms%s\n' "$dim" "${1:+$1, }" $((($(now) - started) / 1000000)) "$plain"; }
# Shows what a command printed, indented; on failure its messages too, and the whole run fails.
shown() { # shown COMMAND...
  local code=0
  "$@" >"$log" 2>"$log.err" || code=$?
  sed 's/^/  /' "$log"
  if ((code)); then
    tail -5 "$log.err" | sed 's/^/  /' >&2
    printf '  (%s ended with exit code %d)\n' "$(basename "$1") ${2:-}" "$code" >&2
    rc=$code
  elif [ ! -s "$log" ]; then
    tail -3 "$log.err" | sed 's/^/  /' # an empty answer says why
  fi
  rm -f "$log.err"
  return "$code"
}

step 'Install'
bash daemon/setup.sh build || exit
done_in 'all is there'

step 'Build'
if command -v ccache >/dev/null; then export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
{ cmake --preset release -DAMBIT_TESTS=ON && cmake --build --preset release --target ambit -j "$(nproc)"; } >"$log" 2>&1 ||
  { tail -25 "$log" >&2; echo 'try: the build failed; its last lines stand above' >&2; exit 1; }
done_in "$("$ambit" version)"

step "Index $repo"
shown "$ambit" index build "$repo"
done_in

step 'Complete'
# A sample position: a loop that is begun, in two files beside nothing of yours. The repository itself says how it goes on.
mkdir -p "$scratch/repo/src"
cat >"$scratch/repo/src/ledger.h" <<'CODE'
#pragma once
#include <string>
#include <vector>

struct Ledger {
  std::string owner;
  std::vector<long> entries;
  long spent_cents() const;
  long balance_cents() const;
};
CODE
sed 's/▮//' >"$scratch/repo/src/ledger.cpp" <<'CODE'
#include "ledger.h"

long Ledger::spent_cents() const {
  long spent = 0;
  for (const long entry : entries) {
    if (entry < 0) spent -= entry;
  }
  return spent;
}

long Ledger::balance_cents() const {
  long sum = 0;
  for (const ▮
    sum += entry;
  }
  return sum;
}
CODE
git -C "$scratch/repo" init -q -b main
as_test() { git -C "$scratch/repo" -c user.name=Sample -c user.email=sample@example.org "$@"; }
as_test add -A && as_test commit -q -m 'sample'
printf '  %ssrc/ledger.cpp, line 13:%s   for (const ▮\n' "$dim" "$plain"
cd "$scratch/repo" && shown "$ambit" complete src/ledger.cpp:13:14
cd "$top" || exit
done_in

step 'Review a staged change'
sed -i 's/balance_cents/balance/' "$scratch/repo/src/ledger.h"
as_test add -A
printf '  %sstaged: Ledger::balance_cents is renamed in the header alone%s\n' "$dim" "$plain"
if "$ambit" review --help >/dev/null 2>&1; then
  # Findings are the point here, so exit code 1 is as good as 0.
  (cd "$scratch/repo" && "$ambit" review --staged) >"$log" 2>&1
  code=$?
  sed 's/^/  /' "$log"
  ((code > 1)) && rc=$code
  done_in
else
  echo '  not in this build: ambit review'
fi
"$ambit" stop >/dev/null 2>&1

step 'Attach your editor'
cat <<TEXT
  Neovim   vim.opt.runtimepath:prepend('$top/editor-plugins/neovim')
           require('ambit').setup({ cmd = { '$ambit', 'lsp' } })
  VS Code  bash $top/editor-plugins/vscode/package.sh && code --install-extension $top/editor-plugins/vscode/ambit.vsix
           then set ambit.path to $ambit
  V4       put  model = "/path/to/DeepSeek-V4-Flash"  into ${XDG_CONFIG_HOME:-~/.config}/ambit/config.toml
TEXT
exit "$rc"
