#!/usr/bin/env bash
# What a kernel must not do ends the program, and the words say what it was; the form that is right passes.
# $1: the program.
set -euo pipefail
program=$1
said=$(mktemp)
trap 'rm -f "$said"' EXIT
status=0

report() {
    if [ "$1" = ok ]; then echo "ok: $2"; else
        status=1
        echo "FAILED: $2"
        sed 's/^/    /' "$said"
    fi
}
# In a shell of its own, into whose output the shell's word of a program that aborts goes, too.
run() {
    local name=$1
    shift
    (
        env "$@" "$program" "$name"
        exit $?
    ) > "$said" 2>&1
}
# CASE TEXT [VARIABLE=VALUE...]
refused() {
    local name=$1 text=$2
    shift 2
    if run "$name" "$@" || ! grep -qF -- "$text" "$said"; then report FAILED "$name is refused: $text"
    else report ok "$name is refused: $text"; fi
}
passes() {
    local name=$1
    shift
    if run "$name" "$@"; then report ok "$name passes${*:+ with $*}"
    else report FAILED "$name passes${*:+ with $*}"; fi
}

watched=CUDALAB_RACECHECK=1
refused shared-race "read after another thread's write without a barrier" $watched
refused shared-writes "written by two threads without a barrier" $watched
refused shared-read-then-write "written after another thread's read without a barrier" $watched
refused shared-two-warps-read "written after another thread's read without a barrier" $watched
refused warp-race "read after another thread's write without a barrier" $watched
refused warp-two-readers "written after another thread's read without a barrier" $watched
passes shared-barrier $watched
passes warp-sync $watched
passes warp-reread $watched
passes shared-race # unwatched: it is only seen by whom looks

refused shared-outside "shared memory access out of bounds"
refused dynamic-outside "shared memory access out of bounds"
refused local-outside "local memory access out of bounds"
refused global-outside "global memory access outside every allocation"
refused global-outside "thread 127"
refused misaligned "misaligned address"
refused freed "global memory access outside every allocation"
refused other-device "global memory access outside every allocation"
refused host-memory "global memory access outside every allocation"
passes global-last
passes peer

refused barrier-diverged "deadlock"
refused barrier-after-return "after some threads of the block have ended" CUDALAB_STRICT=1
passes barrier-after-return
refused mask-without-caller "mask does not name the calling lane"
refused mask-of-absent "mask names lanes that have ended"
refused shuffle-from-absent "reads a lane that does not take part"
refused failed-assert "trap or failed assert"
refused turns "the warps came in order"
passes turns CUDALAB_SEED=7
refused global-last "there is no device" CUDALAB_DEVICES=0
refused global-last "there is no device 1" CUDALAB_DEVICES=1
refused global-last "CUDALAB_SEED is 'x'" CUDALAB_SEED=x
refused global-last "CUDALAB_DEVICES is '65'" CUDALAB_DEVICES=65
exit $status
