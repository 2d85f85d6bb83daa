#!/usr/bin/env bash
# The program is killed 50 times at random changes of its run directory, most of them inside a save, then goes on: no
# completed checkpoint is lost, and the end is the same bytes as without a kill. A full disk costs checkpoints, not the run.
# $1: the program; ADN_CRASH_SHIM: tests/support/crash_shim.c, built. 77 where there is no python3 to make images.
# shellcheck source=tests/support/script.sh
. "$(dirname "$0")/../support/script.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0"

make_noise 40 12
cat > exp.yaml << 'END'
version: 1
mode: sync
until: 24st
data: {name: idx, root: data, batch: 8, augment: [crop 1, flip]}
model: {units: [{conv: 4}, {conv: 4}], cuts: every}
aux: {kind: linear}
checkpoint: {every: 1st, keep: {last: 3, best: 1}}
eval: {every: 1ep}
END
train() { # shim settings as VAR=value ..., then the run's name
    local name=${*: -1}
    ( # the inner shell says "Killed", and nobody needs to hear it
        env "${@:1:$#-1}" LD_PRELOAD="$ADN_CRASH_SHIM" ADN_CRASH_DIR="$dir/runs" "$adonis" train exp.yaml "name=$name" \
            > out 2> said
        exit $?
    ) 2> /dev/null
}
rows() { # what the mathematics makes; blocks write in the order of their threads
    cut -d, -f1-9 "runs/$1/epochs.csv" | sort
}
newest() { # step of the newest checkpoint that is whole; 0: none
    "$adonis" ckpt ls "runs/$1" --json 2> /dev/null | python3 -c '
import json, sys
text = sys.stdin.read()
rows = json.loads(text) if text.strip() else []
rows = rows if isinstance(rows, list) else rows.get("checkpoints", [])
print(max([r["step"] for r in rows if r["whole"]] or [0]))'
}

train ADN_COUNT_FILE="$dir/count" whole || fail "the run without a kill"
changes=$(cat count)
echo "a whole run makes $changes changes"
RANDOM=7
before=0 kills=0 runs=1
while [ "$kills" -lt 50 ]; do
    at=$(((RANDOM * 32768 + RANDOM) % (changes / 4) + 1))
    after=$((RANDOM % 3)) # 0: before the change, 1: after it, 2: in the middle of a write
    how=$([ "$after" = 2 ] && echo half || echo "$after")
    code=0
    if [ "$after" = 0 ]; then train ADN_CRASH_AT="$at" "killed$runs" || code=$?; else train ADN_CRASH_AT="$at" ADN_CRASH_AFTER="$how" "killed$runs" || code=$?; fi
    if [ "$code" = 137 ]; then
        kills=$((kills + 1))
        [ -d "runs/killed$runs" ] || continue # not even made yet
        now=$(newest "killed$runs")
        [ "$now" -ge "$before" ] || fail "kill $kills at change $at ($how): checkpoint of step $before is lost, $now is the newest"
        before=$now
    elif [ "$code" = 0 ]; then # came to its end: compare, and begin another
        for f in block0.safetensors block1.safetensors block0.optim.safetensors block1.optim.safetensors; do
            cmp -s "runs/whole/ckpt/last/$f" "runs/killed$runs/ckpt/last/$f" || fail "$f differs after kills"
        done
        cmp -s <(rows whole) <(rows "killed$runs") || fail "epochs.csv differs after kills"
        runs=$((runs + 1)) before=0
    else
        fail "exit code $code at change $at ($how)"
    fi
done
code=0
train "killed$runs" || code=$?
[ "$code" = 0 ] || fail "the last run does not come to its end: $code"
"$adonis" ckpt verify "runs/killed$runs" > out 2> said || fail "verify after kills"
cmp -s runs/whole/ckpt/last/block1.safetensors "runs/killed$runs/ckpt/last/block1.safetensors" || fail "weights differ after kills"
echo "ok: 50 kills in $runs runs lost no checkpoint, and the ends are the same bytes"

bytes=$(du -sb runs/whole | cut -f1)
code=0
train ADN_FULL_AFTER="$((bytes / 2))" full || code=$?
[ "$code" = 0 ] || fail "a full disk ended the run: $code"
grep -q "is lost; the one before stays, training goes on" said || fail "a full disk is not said"
"$adonis" ckpt verify runs/full > out 2> said || fail "verify after a full disk"
[ "$(newest full)" -ge 1 ] || fail "no checkpoint from before the disk was full"
echo "ok: a full disk costs checkpoints, not the run"
