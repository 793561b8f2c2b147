#!/usr/bin/env bash
# stage.sh ROOT NAME: the result of one stage of tests/run.sh, for ctest's summary. Skipped (77) when it was not run.
set -euo pipefail
result=$1/build/stages/$2
[ -f "$result" ] || { echo "skipped: stage $2 was not part of this run (bash tests/run.sh --stage $2)"; exit 77; }
rc=$(cat "$result")
[ "$rc" = 0 ] || { echo "stage $2 failed with exit code $rc; its log is build/stages/$2.log"; exit 1; }
