#!/usr/bin/env bash
# races.sh PROGRAM: ThreadSanitizer must report each scenario of PROGRAM without its event, and no scenario with it.
set -euo pipefail
program=$1
# Its second of waiting at the exit is for threads that still run; the streams have been waited for.
export TSAN_OPTIONS="exitcode=66 report_signal_unsafe=0 atexit_sleep_ms=0 ${TSAN_OPTIONS:-}"
n_wrong=0

# expect SCENARIO good|bad EXIT_CODE WHAT
expect() {
    local code=0
    said=$("$program" "$1" "$2" 2>&1) || code=$?
    if [ "$code" = "$3" ]; then
        echo "ok: $1: $4"
    else
        n_wrong=$((n_wrong + 1))
        echo "FAILED: $1: $4: exit code $code"
        printf '%s\n' "$said" | head -n 60
    fi
}
for scenario in $("$program"); do
    expect "$scenario" good 0 "ordered, no race is reported"
    expect "$scenario" bad 66 "not ordered, the race is reported"
done
[ "$n_wrong" = 0 ]
