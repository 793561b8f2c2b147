#!/usr/bin/env bash
# Installs what Ambit needs on Debian 12, Debian 13 or Ubuntu 24.04 and newer, and nothing that is there already.
#
#   bash daemon/setup.sh [--check] [build] [test] [editors]
#
#   build     what compiles and runs Ambit (the default group)
#   test      what `bash tests/run.sh` needs beside that
#   editors   what the end-to-end tests with real editors need (browser, terminal multiplexer)
#   --check   says what is missing and why, installs nothing; exit code 1 when something is
#
# It says what is missing and why before it installs. Packages come from the distribution and, for the
# tree-sitter grammars, from npm. As a user other than root it calls sudo for apt and for nothing else.
# When all is there it takes well under a second.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

check_only=0 groups=()
for arg in "$@"; do
  case $arg in
    --check) check_only=1 ;;
    build | test | editors) groups+=("$arg") ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "setup: unknown argument '$arg'; known: --check build test editors" >&2; exit 2 ;;
  esac
done
((${#groups[@]})) || groups=(build)

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "setup: this is not a Debian or Ubuntu machine (no apt-get). Install by hand what the list in daemon/setup.sh names." >&2
  exit 2
fi
# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")

# One line a package: group | package | why. A package may be a list of alternatives "a/b": the first that the
# release has is taken. "?command" after it means: a program of that name, from wherever, is as good.
case $codename in
  bookworm) boost=libboost1.81-dev ;; # the default libboost-dev there is 1.74, too old for Asio's cancellation
  *) boost=libboost-dev ;;
esac
packages() {
  cat <<LIST
build   | g++?g++                | C++20 compiler (12 or newer)
build   | cmake?cmake            | configures the build (3.25 or newer)
build   | ninja-build?ninja      | runs the build
build   | pkg-config?pkg-config  | finds libraries that have no CMake files
build   | git?git                | repositories to index; the commit hook
build   | ca-certificates        | npm speaks TLS
build   | npm?npm                | tree-sitter's core and its grammars come from npm
build   | $boost                 | Asio and Beast (1.81 or newer)
build   | nlohmann-json3-dev     | JSON of the protocol
build   | libgit2-dev            | reads repositories
build   | libtomlplusplus-dev    | reads config.toml
build   | libcli11-dev           | command line
build   | libpcre2-dev           | Unicode classes of the tokenizer
build   | libzstd-dev            | compression of the index and of kept model state
build   | libxxhash-dev          | checksums
build   | libssl-dev             | TLS of the remote backend
build   | libhwy-dev             | portable SIMD of the CPU engine
build   | libspdlog-dev          | log files
build   | libgtest-dev           | the tests are part of the build
build   | libgmock-dev           | matchers of the tests
test    | python3?python3        | checks of docs and of the index by a second reader
test    | clang?clang++          | second compiler, sanitizers
test    | libclang-rt-dev/libclang-rt-14-dev | run-time libraries of clang's sanitizers
test    | procps?ps              | the tests look for processes left behind
editors | patchelf?patchelf      | makes a newer Neovim run beside this release's libraries
editors | tmux?tmux              | a terminal for Neovim and Emacs
editors | make?make              | native parts of code-server
editors | python3?python3        | native parts of code-server
editors | chromium/chromium-browser | shows VS Code (code-server)
editors | fonts-dejavu-core      | text in its screenshots
editors | emacs-nox?emacs        | a second LSP client (eglot)
editors | iproute2?ip            | a network of its own for each editor test
LIST
  case $codename in
    bookworm)
      echo "test    | clang-format?clang-format | layout of the sources (another version lays them out otherwise)"
      echo "test    | clang-tidy?clang-tidy | faults that compilers do not look for (another version finds others)"
      echo "editors | elpa-eglot | LSP client for Emacs 28 (29 and newer carry it)"
      ;;
  esac
}

missing=() reasons=()
installed=" $(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | awk '$1 == "installed" {printf "%s ", $2}')"
while IFS='|' read -r group package why; do
  group=${group// /} package=${package// /}
  [[ " ${groups[*]} " == *" $group "* ]] || continue
  command=''
  if [[ $package == *\?* ]]; then command=${package#*\?} package=${package%%\?*}; fi
  [ -n "$command" ] && command -v "$command" >/dev/null && continue
  found=0
  for alternative in ${package//\// }; do [[ $installed == *" $alternative "* ]] && found=1; done
  ((found)) && continue
  [[ " ${missing[*]} " == *" $package "* ]] && continue
  missing+=("$package") reasons+=("$(printf '  %-24s %s' "${package%%/*}" "${why# }")")
done < <(packages)

if ((${#missing[@]})); then
  printf 'Ambit needs %d packages of %s that are not installed:\n' "${#missing[@]}" "$codename"
  printf '%s\n' "${reasons[@]}"
  if ((check_only)); then exit 1; fi
  sudo=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "setup: run as root:  apt-get install -y --no-install-recommends ${missing[*]%%/*}" >&2
      exit 2
    fi
    sudo=(sudo)
  fi
  echo "Installing them with apt-get ..."
  export DEBIAN_FRONTEND=noninteractive
  "${sudo[@]}" apt-get -qq update
  names=()
  for package in "${missing[@]}"; do
    chosen=''
    for alternative in ${package//\// }; do
      if apt-cache show --no-all-versions "$alternative" >/dev/null 2>&1; then chosen=$alternative; break; fi
    done
    if [ -z "$chosen" ]; then
      echo "setup: this release ($codename) has no package ${package//\// or }; supported are Debian 12, Debian 13 and Ubuntu 24.04 and newer" >&2
      exit 2
    fi
    names+=("$chosen")
  done
  log=$(mktemp)
  if ! "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${names[@]}" >"$log" 2>&1; then
    tail -20 "$log" >&2
    rm -f "$log"
    echo "setup: apt-get could not install the packages above; its last lines say why" >&2
    exit 2
  fi
  rm -f "$log"
fi

# tree-sitter's core and its grammars, pinned by hash in a lock file.
grammars=$top/indexer/syntax/grammars/install.sh
if [ -f "$grammars" ] && [[ " ${groups[*]} " == *" build "* ]]; then
  if ((check_only)); then
    [ -d "$top/indexer/syntax/grammars/node_modules" ] ||
      { echo "Ambit needs the tree-sitter grammars: bash indexer/syntax/grammars/install.sh"; exit 1; }
  else
    bash "$grammars"
  fi
fi
