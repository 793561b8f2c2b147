#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test; the last lines are ctest's own summary.
#
#   bash tests/run.sh                what CI runs: builds with two compilers, every test, real editors
#   bash tests/run.sh --all          the same with the stages asan, tsan, tidy and fuzz before the tests
#   bash tests/run.sh --quick        the local loop: release build and its tests, without editors and sanitizers
#   bash tests/run.sh --stage NAME   one stage alone: setup, editors, release, asan, tsan, clang, tidy, fuzz or ctest
#   bash tests/run.sh --list         the stages
#
# Stages before the last one leave their result in build/stages/NAME; ctest's entries "stage.NAME" report it, so
# the summary at the end counts them too. The network is used by the stages setup and editors only.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

quick=0 all=0 only=''
while (($#)); do
  case $1 in
    --quick) quick=1 ;;
    --all) all=1 ;;
    --stage) only=${2:?--stage needs a name}; shift ;;
    --list) sed -n '/^run_[a-z]*() /s/^run_\([a-z]*\)() { *# \(.*\)/\1\t\2/p' "${BASH_SOURCE[0]}"; exit 0 ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "run.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
  esac
  shift
done

jobs=$(nproc)
mkdir -p build/stages build/artifacts
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi

# Configures PRESET when needed and builds TARGETs; the compiler's messages are kept when it fails.
build() { # build PRESET TARGET...
  local preset=$1 log=build/stages/$1.log; shift
  { cmake --preset "$preset" && cmake --build "build/$preset" -j "$jobs" ${1:+--target "$@"}; } >"$log" 2>&1 || {
    grep -nE 'error|warning|FAILED' "$log" | head -40
    tail -15 "$log"
    return 1
  }
}

# Builds and runs the tests of folders of tests/. Entries of programs that the stage did not build do not count.
# Daemons that the tests start have no terminal, so what a sanitizer says goes into files, and each of them is a failure.
sanitized() { # sanitized PRESET FOLDER...
  local preset=$1 log=build/stages/$1-tests.log reports=$PWD/build/stages/$1-reports rc=0; shift
  build "$preset" "${@/%//all}" || return 1
  rm -rf "$reports"
  mkdir "$reports"
  local other='_NOT_BUILT$|_fuzz$|^(tidy|stage|editors|hooks|nano|cuda_emulation)\.|^inference\.(golden_mistakes|neon)$'
  local long='^Checkpoints/|^LocalBackendTest\.(Speculation|ManySequences|AnEdit)'
  echo "left out: $long (whole golden checkpoints and races of sequences, tens of seconds each without a sanitizer)"
  echo "left out: $other (what the stage does not build, editors and hooks, which start the release build, training, kernels, source mutations and qemu)"
  ASAN_OPTIONS=log_path=$reports/report UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports/report \
    TSAN_OPTIONS=log_path=$reports/report ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure \
    -E "$other|$long" -LE 'editors|slow' >"$log" 2>&1 || {
    rc=1
    grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start ' "$log" | tail -80
  }
  for report in "$reports"/*; do
    [ -f "$report" ] || continue
    rc=1
    echo "$report:"; head -40 "$report"
  done
  grep -E 'tests passed' "$log"
  return "$rc"
}

run_setup() { # install what is missing
  bash daemon/setup.sh build test
}
run_editors() { # install the real editors of the end-to-end tests into the cache
  bash daemon/setup.sh editors && bash tests/editors/install.sh && bash tests/inference/remote/install.sh
}
run_release() { # release build
  build release
}
run_asan() { # tests of the libraries and the daemon under AddressSanitizer and UndefinedBehaviorSanitizer
  sanitized asan tests/{support,lsp,indexer,inference,daemon,protocol}
}
run_tsan() { # tests of the daemon under ThreadSanitizer
  sanitized tsan tests/{daemon,protocol}
}
run_clang() { # the libraries and the daemon with clang: its warnings are errors too
  build clang ambit
}
run_tidy() { # clang-tidy over every source of ours
  cmake --preset release >build/stages/tidy.log 2>&1 || { tail -15 build/stages/tidy.log; return 1; }
  python3 tests/tidy/clang_tidy.py build/release
}
fuzz_one() { # fuzz_one PROGRAM
  local name log corpus rc=0
  name=$(basename "$1") log=build/stages/$name.log corpus=build/fuzz/corpus/$name
  mkdir -p "$corpus"
  AMBIT_FUZZ_CORPUS=$corpus "$1" -max_total_time="${AMBIT_FUZZ_SECONDS:-60}" -timeout=20 -print_final_stats=1 \
    -artifact_prefix="build/artifacts/$name-" "$corpus" >"$log" 2>&1 || {
    rc=1
    grep -vE '^#[0-9]' "$log" | tail -40
  }
  echo "$name: $(sed -n 's/^stat::number_of_executed_units: */inputs: /p' "$log"), $(grep -cE '^#.*NEW' "$log") of them new paths"
  return "$rc"
}
run_fuzz() { # libFuzzer targets under both sanitizers from their seeds, each for AMBIT_FUZZ_SECONDS (60)
  local target pid pids=() failed=0
  build fuzz tests/fuzz/all || return 1
  for target in build/fuzz/*_fuzz; do
    while (($(jobs -rp | wc -l) >= jobs)); do sleep 1; done
    fuzz_one "$target" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return "$failed"
}
run_ctest() { # all tests; its summary closes the run
  local label=()
  ((quick)) && label=(-LE 'editors|slow')
  ctest --test-dir build/release -j "$jobs" --output-on-failure "${label[@]}"
}

stage() { # stage NAME: runs it, says how long it took, keeps the result for ctest
  local name=$1 start=$SECONDS rc=0
  echo "== $name"
  "run_$name" || rc=$?
  if ((rc == 77)); then echo "== $name: skipped"; return 0; fi
  echo "$rc" >"build/stages/$name"
  echo "== $name: $( ((rc)) && echo FAILED || echo ok), $((SECONDS - start)) s"
  return "$rc"
}

if [ -n "$only" ]; then
  declare -F "run_$only" >/dev/null || { echo "run.sh: no stage '$only'; see --list" >&2; exit 2; }
  if [ "$only" = ctest ]; then run_ctest; exit; fi
  stage "$only"; exit
fi

rm -f build/stages/*
failed=()
stage setup || exit 1
if ((quick)); then
  stage release || exit 1
else
  # Downloads wait for the network, the build for the processor: they run side by side.
  (run_editors; echo $? >build/stages/editors) >build/stages/editors.log 2>&1 &
  editors=$! started=$SECONDS
  stage release || { wait "$editors"; exit 1; }
  stages=(clang)
  ((all)) && stages=(asan tsan clang tidy fuzz)
  for name in "${stages[@]}"; do stage "$name" || failed+=("$name"); done
  wait "$editors"
  [ "$(cat build/stages/editors)" = 0 ] || { tail -5 build/stages/editors.log; echo "== editors: not installed; their tests are skipped with the reason"; }
  echo "== editors: waited until $((SECONDS - started)) s after the start"
fi
echo "== ctest"
run_ctest
rc=$?
((${#failed[@]})) && rc=1
exit "$rc"
