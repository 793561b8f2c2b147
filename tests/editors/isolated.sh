#!/usr/bin/env bash
# isolated.sh AMBIT COMMAND...: runs an editor test where there is nothing but it: a home, XDG folders and a repository of its own
# (PROJECT), a network of its own with a loopback interface alone where the kernel allows that, and a daemon of its own that
# answers from answers.json. Afterwards no process may be left that belongs to it.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ambit=$(realpath "$1"); shift
work=$(mktemp -d "${TMPDIR:-/tmp}/ambit-e2e.XXXXXX")
export AMBIT=$ambit WORK=$work PROJECT=$work/project HOME=$work/home
export XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache XDG_STATE_HOME=$work/state XDG_DATA_HOME=$work/data
export XDG_RUNTIME_DIR=$work/run LC_ALL=C.UTF-8 PATH=$(dirname "$ambit"):$PATH
mkdir -p "$HOME" "$XDG_CONFIG_HOME/ambit" "$XDG_CACHE_HOME" "$XDG_STATE_HOME" "$XDG_DATA_HOME"
mkdir -m 700 "$XDG_RUNTIME_DIR"
cp -r "$here/project" "$PROJECT"
# MODEL=bundled: as Ambit comes, without a setting.
[ "${MODEL:-scripted}" = bundled ] ||
  printf 'model = "scripted:%s"\n' "$here/answers.json" >"$XDG_CONFIG_HOME/ambit/config.toml"
git -C "$PROJECT" init -q -b main
git -C "$PROJECT" -c user.name=Test -c user.email=test@example.org add -A
git -C "$PROJECT" -c user.name=Test -c user.email=test@example.org commit -q -m 'first state'

alone=()
if unshare -n true 2>/dev/null; then alone=(unshare -n bash -c 'ip link set lo up; exec "$@"' --)
elif unshare -rn true 2>/dev/null; then alone=(unshare -rn bash -c 'ip link set lo up; exec "$@"' --); fi

# Processes of this test: they carry its folder in their environment. This script and its own children do too.
left() {
  local pid
  for pid in /proc/[0-9]*; do
    pid=${pid#/proc/}
    [ "$pid" = $$ ] || [ "$pid" = "$BASHPID" ] && continue
    grep -qzF "WORK=$work" "/proc/$pid/environ" 2>/dev/null && [ "$(awk '{print $3}' "/proc/$pid/stat")" != Z ] &&
      ! grep -qzx 'isolated.sh' "/proc/$pid/cmdline" && echo "$pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
  done
}
finish() {
  "$ambit" stop >/dev/null 2>&1
  for _ in $(seq 20); do [ -z "$(left)" ] && break; sleep 0.1; done
  local rest; rest=$(left)
  if [ -n "$rest" ]; then
    echo "FAIL left running:"; echo "$rest"
    awk '{print $1}' <<<"$rest" | xargs -r kill -9 2>/dev/null
    rc=1
  fi
  if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
  exit "$rc"
}
rc=1
trap finish EXIT
"${alone[@]}" timeout "${LIMIT:-120}" "$@"
rc=$?
((rc == 0)) || { echo "exit code $rc"; tail -20 "$XDG_STATE_HOME"/ambit/log/*.log 2>/dev/null; }
