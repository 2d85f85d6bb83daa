#!/usr/bin/env bash
# Each ordering bug, planted, is reported; repaired, it is not; in every run. What reports it is ThreadSanitizer, or the
# lab where a kernel touches what is not its own. $1: the program.
set -uo pipefail
program=$1
jitters=(0 300 3000) # a run with each: microseconds that tasks may start late
said=$(mktemp)
trap 'rm -f "$said"' EXIT
# At the end nothing is left to wait for: the devices have been synchronized.
export TSAN_OPTIONS=halt_on_error=1:exitcode=66:atexit_sleep_ms=0
status=0

# NAME FORM CODE TEXT: the exit code, and what must be said (TEXT may be empty).
scenario() {
    local name=$1 form=$2 code=$3 text=$4 got
    for jitter in "${jitters[@]}"; do
        got=0
        (
            CUDALAB_JITTER_US=$jitter "$program" "$name" "$form"
            exit $?
        ) > "$said" 2>&1 || got=$?
        if [ "$got" != "$code" ] || { [ -n "$text" ] && ! grep -qF -- "$text" "$said"; }; then
            echo "FAILED: $name, $form: exit code $got, expected $code"
            sed 's/^/    /' "$said"
            status=1
            return
        fi
    done
    echo "ok: $name, $form"
}

races="read-after-write write-after-read early-record host-read host-write default-stream event-query peer-copy
    destroyed-stream all-reduce"
faults="wrong-device out-of-bounds use-after-free"
for name in $races; do
    scenario "$name" bug 66 "ThreadSanitizer: data race"
done
for name in $faults; do
    scenario "$name" bug 134 "global memory access outside every allocation" # aborted
done
for name in $races $faults default-stream-blocking; do
    scenario "$name" fixed 0 ""
done
exit $status
