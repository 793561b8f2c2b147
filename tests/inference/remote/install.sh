#!/usr/bin/env bash
# Unpacks llama.cpp's server of Debian sid with all its libraries into ${XDG_CACHE_HOME:-~/.cache}/ambit-tests/llama (76 MB,
# about 20 s) for tests/inference/remote. Nothing of the system changes. Needs daemon/setup.sh's group "editors" (patchelf).
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prefix=${XDG_CACHE_HOME:-$HOME/.cache}/ambit-tests/llama
server=$prefix/files/usr/bin/llama-server
if [ -x "$server" ] && "$server" --version >/dev/null 2>&1; then echo "llama.cpp: in the cache"; exit 0; fi
rm -rf "$prefix"
mkdir -p "$prefix"
# Its last step runs the program, which fails until the libraries below know their own folder.
bash "$here/../../editors/lib/deb-prefix.sh" "$prefix" sid llama.cpp usr/bin/llama-server >"$prefix.log" 2>&1
[ -f "$server" ] || { echo "llama.cpp could not be installed: $(tail -1 "$prefix.log")"; exit 1; }
lib=$prefix/files/usr/lib/$(gcc -print-multiarch 2>/dev/null || echo x86_64-linux-gnu)
bench=$prefix/files/usr/bin/llama-bench  # for tests/bench/engine
patchelf --set-interpreter "$(patchelf --print-interpreter "$server")" "$bench" || exit 1
for file in "$server" "$bench" "$lib"/llama/*.so "$lib"/libllama*.so.*.*.* "$lib"/libggml.so.*.*.*; do
  patchelf --force-rpath --set-rpath "$lib:$lib/llama" "$file" || exit 1
done
"$server" --version 2>&1 | head -1
