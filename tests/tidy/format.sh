#!/usr/bin/env bash
# format.sh ROOT: every C++ source is laid out as .clang-format says. Versions of clang-format differ in small things,
# so the check is made with version 14, Debian 12's; elsewhere it is skipped (exit code 77) with this reason.
set -euo pipefail
cd "$1"
tool=''
for candidate in clang-format-14 clang-format; do
  if command -v "$candidate" >/dev/null && "$candidate" --version | grep -q 'version 14\.'; then tool=$candidate; break; fi
done
[ -n "$tool" ] || { echo "skipped: no clang-format 14 on this machine"; exit 77; }
mapfile -t files < <(find daemon lsp indexer inference tests \( -name node_modules -o -path tests/editors/project \) -prune -o \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) -print | sort)
((${#files[@]})) || { echo "no sources under $1"; exit 1; }
# With --output-replacements-xml a file that needs no change gives no <replacement> element.
export tool
# shellcheck disable=SC2016
bad=$(printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -n 1 bash -c \
  '"$tool" --output-replacements-xml "$1" | grep -q "<replacement " && echo "  $1"' _ || true)
[ -z "$bad" ] || { printf 'laid out otherwise than .clang-format says (run %s -i on them):\n%s\n' "$tool" "$bad"; exit 1; }
echo "${#files[@]} files are laid out as .clang-format says"
