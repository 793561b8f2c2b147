#!/usr/bin/env bash
# A fresh machine: the two commands of the README in a minimal Debian that holds nothing else.
#
#   tests/fresh/fresh.sh SUITE [COMMAND...]     SUITE: bookworm or trixie
#
# Makes a minimal root (mmdebstrap, kept in the cache), clones this checkout's HEAD into it, and runs each COMMAND there with an
# empty environment; without any, `bash daemon/try.sh` and `bash tests/run.sh`. The machine's apt mirror, name servers,
# certificates and npm settings are the only things taken along. Needs root and mmdebstrap.
#
# A whole build there takes long. With CCACHE_DIR set, ccache is installed too and uses that folder, so that objects which this
# machine's same compiler made from the same text are not made again; all else is as without.
set -euo pipefail
suite=${1:?"usage: fresh.sh bookworm|trixie [COMMAND...]"}; shift
(($#)) || set -- 'bash daemon/try.sh' 'bash tests/run.sh'
[ "$(id -u)" = 0 ] || { echo "fresh.sh: needs root for chroot" >&2; exit 2; }
command -v mmdebstrap >/dev/null || { echo "fresh.sh: apt-get install mmdebstrap first" >&2; exit 2; }
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ambit-tests/fresh
mkdir -p "$cache"
base=$cache/$suite.tar
if [ ! -f "$base" ]; then
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m1 'debian/\?$')
  mmdebstrap --variant=minbase --mode=root --format=tar --include=ca-certificates,git "$suite" - "$mirror" >"$base.new"
  mv "$base.new" "$base"
fi
machine=$(mktemp -d "${TMPDIR:-/var/tmp}/ambit-fresh.XXXXXX")
trap 'rm -rf --one-file-system "$machine"' EXIT
tar -C "$machine" -xf "$base" --exclude='./dev/*'
for file in /etc/resolv.conf /etc/npmrc /etc/ssl/certs/ca-certificates.crt; do
  if [ -f "$file" ]; then cp --dereference "$file" "$machine$file"; fi
done
if [ -f "$HOME/.npmrc" ]; then cp "$HOME/.npmrc" "$machine/etc/npmrc"; fi
environment=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/home LANG=C.UTF-8)
if [ -n "${CCACHE_DIR:-}" ]; then
  mkdir "$machine/srv/ccache"
  environment+=(CCACHE_DIR=/srv/ccache CCACHE_BASEDIR=/srv CCACHE_NOHASHDIR=1)
  set -- 'apt-get -qq update && apt-get -qq install -y --no-install-recommends ccache >/dev/null 2>&1' "$@"
fi
echo force-unsafe-io >"$machine/etc/dpkg/dpkg.cfg.d/fast" # nobody needs this root after a crash
git clone -q --no-hardlinks "$top" "$machine/srv/ambit"
git -C "$machine/srv/ambit" log -1 --format='commit %h %s'
for command in "$@"; do
  echo "\$ $command"
  start=$SECONDS
  unshare --mount --pid --fork bash -c '
    mount -t proc proc "$1/proc"
    mount -t devtmpfs none "$1/dev" 2>/dev/null || mount --rbind /dev "$1/dev"
    mount -t tmpfs tmpfs "$1/tmp"
    if [ -d "$1/srv/ccache" ]; then mount --bind "$CCACHE_DIR" "$1/srv/ccache"; fi
    exec env -i "${@:3}" chroot "$1" bash -c "cd /srv/ambit && $2"' _ "$machine" "$command" "${environment[@]}"
  echo "($((SECONDS - start)) s)"
done
