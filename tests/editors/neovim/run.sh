#!/usr/bin/env bash
# run.sh AMBIT PREFIX GHOST_TEXT [TEST] [BUILD_FOLDER]: a Neovim test (neovim_test.lua) with the Neovim of the test cache's
# PREFIX. Screenshots go to BUILD_FOLDER/artifacts. Exit code 77: it is not installed.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ambit-tests
nvim=$cache/$2/files/usr/bin/nvim
if [ ! -x "$nvim" ]; then
  echo "skipped: $(cat "$cache/$2.why" 2>/dev/null || echo "no Neovim in the test cache; bash tests/run.sh --stage editors installs it")"
  exit 77
fi
"$nvim" --version | head -1
copy=$(mktemp -d) # help tags are built in a copy: the checkout stays as it is
trap 'rm -rf "$copy"' EXIT
cp -r "$here/../../../editor-plugins/neovim/." "$copy"
if [ -n "${5:-}" ]; then
  export SHOTS=$5/artifacts CHROMIUM; CHROMIUM=$(command -v chromium || command -v chromium-browser || true)
  mkdir -p "$SHOTS"
fi
PLUGIN=$(realpath "$here/../../../editor-plugins/neovim") PLUGIN_COPY=$copy GHOST_TEXT=$3 \
  bash "$here/../isolated.sh" "$1" "$nvim" -l "$here/${4:-neovim_test.lua}"
