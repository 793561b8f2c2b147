#!/usr/bin/env bash
# The ops' tests as an aarch64 program under qemu, so that the NEON side of each fast path is compiled and run: neon.sh SOURCE_DIR WORK_DIR.
# Needs Debian's g++-aarch64-linux-gnu and qemu-user, and the arm64 libraries that `neon.sh --install` fetches; says so and exits with 77 without.
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ambit-tests/arm64
packages=(libhwy1 libhwy-dev libgtest-dev libgmock-dev)

if [[ ${1:-} == --install ]]; then
  mkdir -p "$cache" && cd "$cache"
  arch=(-o APT::Architectures::=amd64 -o APT::Architectures::=arm64)
  apt-get "${arch[@]}" -qq update
  apt-get "${arch[@]}" -qq download "${packages[@]/%/:arm64}"
  for deb in *.deb; do dpkg -x "$deb" root; done
  rm -- *.deb
  exit 0
fi

source_dir=$1 work=$2
for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool (apt install g++-aarch64-linux-gnu qemu-user)"; exit 77; }
done
libraries=$cache/root/usr/lib/aarch64-linux-gnu
[[ -d $libraries ]] || { echo "skipped: no arm64 libraries; run tests/inference/ops/neon.sh --install"; exit 77; }

mkdir -p "$work/include" && cd "$source_dir"
# Headers of this machine that are the same on all; the rest come with the arm64 packages.
ln -sfn /usr/include/nlohmann "$work/include/nlohmann"
sources=(inference/ops/*.cpp inference/weights/safetensors.cpp inference/weights/safetensors_header.cpp inference/weights/names.cpp daemon/support/file.cpp daemon/support/trace.cpp daemon/support/machine.cpp
  tests/inference/model/golden.cpp tests/inference/ops/ops_test.cpp)
compile() {
  aarch64-linux-gnu-g++ -std=c++20 -O1 -Wall -Wextra -Wshadow -Werror -DHWY_SHARED_DEFINE "-DAMBIT_SOURCE_DIR=\"$source_dir\"" -I. \
    -isystem "$cache/root/usr/include" -isystem "$work/include" -c "$1" -o "$work/${1//\//_}.o"
}
export -f compile
export source_dir work cache
printf '%s\n' "${sources[@]}" | xargs -P2 -I{} bash -c 'compile {}'
aarch64-linux-gnu-g++ -o "$work/ops_test" "$work"/*.o "$libraries"/libg{mock,test,test_main}.a "$libraries/libhwy.so.1" -lpthread
exec qemu-aarch64 -L /usr/aarch64-linux-gnu -E "LD_LIBRARY_PATH=$libraries" "$work/ops_test" --gtest_brief=1
