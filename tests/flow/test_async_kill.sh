#!/usr/bin/env bash
# The program in `async`, in real and in modelled time: Ctrl-C saves, exits 75 and the run goes on; it is killed at
# random changes of its run directory and goes on. At the end each block and edge has one row an epoch, every checkpoint
# is whole, and `eval` prints what the last rows say.
# $1: the program; ADN_CRASH_SHIM: tests/support/crash_shim.c, built. 77 where there is no python3 to make images.
# shellcheck source=tests/support/script.sh
. "$(dirname "$0")/../support/script.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0"

make_noise 36 12
cat > exp.yaml << 'END'
version: 1
mode: async
until: 8ep
after_end: stop
data: {name: idx, root: data, batch: 8, augment: [flip]}
model: {units: [{conv: 4}, {conv: 4}], cuts: every}
aux: {kind: linear}
checkpoint: {every: 2st, keep: {last: 3, best: 1}}
END
# RUN EPOCHS: rows neither doubled nor lost, checkpoints whole, and eval as the last rows.
is_whole() {
    "$adonis" ckpt verify "runs/$1" > out 2> said || fail "$1: verify"
    "$adonis" eval "runs/$1" > tested 2> said || fail "$1: eval"
    python3 - "$1" "$2" > said 2>&1 << 'END' || fail "$1: $(cat said)"
import csv, sys
name, n = sys.argv[1], int(sys.argv[2])
rows = list(csv.DictReader(open(f"runs/{name}/epochs.csv")))
edges = list(csv.DictReader(open(f"runs/{name}/edges.csv")))
last = {}
for b in "01":
    epochs = [int(r["epoch"]) for r in rows if r["block"] == b]
    assert epochs == list(range(1, len(epochs) + 1)), (b, epochs)
    assert len(epochs) == n if b == "0" else 1 <= len(epochs) <= n, (b, epochs)
    counts = [int(r["steps"]) for r in rows if r["block"] == b]
    assert counts == sorted(counts), counts
    last[b] = [r for r in rows if r["block"] == b][-1]
assert [r["epoch"] for r in edges if r["edge"] == "1"] == [r["epoch"] for r in rows if r["block"] == "1"], edges
for line in list(open("tested"))[1:]:
    block, loss, top1 = line.split()[:3]
    assert (loss, top1) == (last[block]["test_loss"], last[block]["test_top1"]), (line, last[block])
END
}

for how in schedule=threads schedule=virtual "schedule=virtual draw=random"; do
    name=ctrl-c-${how//[ =]/-}
    code=0
    # shellcheck disable=SC2086
    interruptible "$adonis" train exp.yaml "name=$name" $how until=90000ep checkpoint.every=20ep > out 2> said &
    pid=$!
    for _ in $(seq 600); do # until it has saved something
        [ -e "runs/$name/ckpt/last" ] && break
        sleep 0.1
    done
    kill -INT "$pid"
    wait "$pid" || code=$?
    [ "$code" = 75 ] || fail "$how: Ctrl-C gives exit code $code instead of 75"
    step=$(readlink "runs/$name/ckpt/last")
    # shellcheck disable=SC2086
    interruptible "$adonis" train exp.yaml "name=$name" $how until=90000ep checkpoint.every=20ep > out 2> said &
    pid=$!
    for _ in $(seq 600); do
        [ "$(readlink "runs/$name/ckpt/last")" != "$step" ] && break
        sleep 0.1
    done
    code=0
    kill -INT "$pid"
    wait "$pid" || code=$?
    [ "$code" = 75 ] || fail "$how: the second Ctrl-C gives exit code $code instead of 75"
    [ "$(readlink "runs/$name/ckpt/last")" != "$step" ] || fail "$how: a stopped run does not go on"
    "$adonis" ckpt verify "runs/$name" > out 2> said || fail "$how: verify after Ctrl-C"
done
echo "ok: ctrl_c_in_async_saves_exits_75_and_the_run_goes_on"

train() { # how, the run's name, shim settings as VAR=value ...
    ( # the inner shell says "Killed", and nobody needs to hear it
        # shellcheck disable=SC2086
        env "${@:3}" LD_PRELOAD="$ADN_CRASH_SHIM" ADN_CRASH_DIR="$dir/runs" "$adonis" train exp.yaml "name=$2" $1 \
            > out 2> said
        exit $?
    ) 2> /dev/null
}
RANDOM=7
for how in schedule=threads schedule=virtual; do
    name=killed-${how#*=}
    train "$how" "whole-${how#*=}" ADN_COUNT_FILE="$dir/count" || fail "$how: the run without a kill"
    is_whole "whole-${how#*=}" 8
    changes=$(cat count)
    for _ in $(seq 8); do
        code=0
        train "$how" "$name" ADN_CRASH_AT="$((RANDOM % (changes / 3) + 1))" ADN_CRASH_AFTER="$((RANDOM % 2))" || code=$?
        [ "$code" = 137 ] || [ "$code" = 0 ] || fail "$how: exit code $code"
        [ "$code" = 137 ] || break
    done
    train "$how" "$name" ADN_COUNT_FILE="$dir/count" || fail "$how: does not come to its end after kills"
    is_whole "$name" 8
done
echo "ok: killed_runs_in_async_end_with_every_row_once"
