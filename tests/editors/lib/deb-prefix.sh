#!/usr/bin/env bash
# deb-prefix.sh PREFIX SUITE PACKAGE BINARY: unpacks a package of another Debian suite with every library that it needs, its
# own libc too, into PREFIX/files and points BINARY (relative to that) at them. Nothing of the system changes, and what the
# program starts runs with the system's libraries. Signatures are checked by apt with Debian's keyring. The prefix cannot be
# moved: the loader's path in the binary is absolute. A rolling suite gives the version of the day.
set -euo pipefail
prefix=$(cd "$1" && pwd) suite=$2 package=$3 binary=$4
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || { echo "no Debian keyring on this machine ($keyring)"; exit 1; }
for tool in patchelf dpkg-deb; do command -v "$tool" >/dev/null || { echo "no $tool: bash daemon/setup.sh editors"; exit 1; }; done
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m1 'debian/\?$') ||
  mirror=${AMBIT_DEBIAN_MIRROR:-} # on Ubuntu
[ -n "$mirror" ] || { echo "no Debian mirror among this machine's package sources; name one in AMBIT_DEBIAN_MIRROR"; exit 1; }
apt=$prefix/apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
: >"$apt/status" # "nothing is installed", so that the closure holds everything
echo "deb [signed-by=$keyring] $mirror $suite main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<CONF
Dir::State "$apt"; Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status";
Dir::Cache "$apt/cache"; Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root"; APT::Install-Recommends "false"; Acquire::Languages "none"; Acquire::Retries "3";
Acquire::Check-Valid-Until "false"; # a mirror that lags behind is as good here; its signature is still checked
CONF
export APT_CONFIG=$apt/apt.conf
apt-get -qq update
apt-get -qq -y --download-only install "$package"
mkdir "$prefix/files"
for deb in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$prefix/files"; done
lib=$prefix/files/usr/lib/$(gcc -print-multiarch 2>/dev/null || echo x86_64-linux-gnu)
loader=$(find "$lib" -maxdepth 1 -name 'ld-linux*.so*' | head -1)
# RPATH, not RUNPATH, so that the libraries find one another here too; no LD_LIBRARY_PATH, which children would inherit.
patchelf --force-rpath --set-rpath "$lib" --set-interpreter "$loader" "$prefix/files/$binary"
(cd "$apt/cache/archives" && sha256sum -- *.deb) >"$prefix/packages.sha256"
rm -rf "$apt"
"$prefix/files/$binary" --version | head -1
