#!/usr/bin/env bash
# Installs the tree-sitter core and the grammars (exact versions, see package-lock.json) beside this
# script and throws away what the build does not read: prebuilt binaries, wasm, bindings, examples.
# No install script of any package runs. Run it again after package.json changed.
set -euo pipefail
cd "$(dirname "$0")"
stamp=node_modules/.ambit-installed
want=$(cat package.json package-lock.json | sha256sum | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then
  exit 0
fi
npm ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund --loglevel=error
for unused in tree-sitter-cli npm-check-updates node-addon-api node-gyp-build isexe which .bin; do
  rm -rf "node_modules/$unused"
done
find node_modules \( -name prebuilds -o -name bindings -o -name examples -o -name node_modules \) \
  -mindepth 2 -type d -prune -exec rm -rf {} +
find node_modules \( -name '*.wasm' -o -name '*.node' -o -name 'grammar.json' -o -name '*.dylib' \) \
  -type f -delete
echo "$want" > "$stamp"
