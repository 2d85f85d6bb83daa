#!/usr/bin/env bash
# Replicas through the program, on the cpu: what plan says of them, a run that is stopped and goes on, an async one that
# is replayed to the bit, an evaluation; and what is refused.
# $1: the program. 77 where there is no python3 to make images.
# shellcheck source=tests/support/script.sh
. "$(dirname "$0")/../support/script.sh"

make_noise 45 20
cat > exp.yaml << 'END'
version: 1
mode: sync
until: 4ep
data: {name: idx, root: data, batch: 8, augment: [flip]}
model: {units: [{conv: 4}, {conv: 8}], cuts: every}
aux: {kind: linear}
replicas: 2
optim: {lr: 0.05}
checkpoint: {every: 1ep, keep: {last: 5, best: 0}}
blocks: [{device: cpu, threads: 1}, {device: cpu, threads: 1}]
END

expect "plan tells of replicas" 0 "" "$adonis" plan exp.yaml
grep -q "^2 replicas, 16 images a step; what follows is of one$" out || fail "plan does not tell of two replicas"
grep -q "batch 8, 2 steps an epoch" out || fail "plan has another number of steps"
expect "plan tells of them as JSON" 0 "" "$adonis" plan exp.yaml --json
python3 -c 'import json
p = json.load(open("out"))
assert p["replicas"] == 2 and p["blocks"][1]["replicas"] == ["cpu", "cpu"], p' || fail "plan --json tells of no replicas"

expect "a run" 0 "the last 13 samples of an epoch, others in each, make no step of 2 batches of 8" \
    "$adonis" train exp.yaml name=whole
# shellcheck disable=SC2016 # awk's dollars
expect "its epochs" 0 "" awk -F, 'NR > 1 && $4 != 32 * $1 { exit 1 } END { if (NR != 9) exit 1 }' runs/whole/epochs.csv
rows() { if [ -f runs/parts/epochs.csv ]; then wc -l < runs/parts/epochs.csv; else echo 0; fi; }
stop_behind() { # ROWS COMMAND...: Ctrl-C when the run has more rows
    local n=$1
    interruptible "${@:2}" &
    local pid=$!
    until [ "$(rows)" -gt "$n" ]; do
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.01
    done
    kill -INT "$pid"
    wait "$pid"
}
expect "the same run, stopped" 75 "" stop_behind 11 "$adonis" train exp.yaml name=parts until=20000ep
python3 - << 'END' || fail "a run that was stopped has other rows"
import csv
whole, parts = (list(csv.DictReader(open(f"runs/{n}/epochs.csv"))) for n in ("whole", "parts"))
key = lambda r: (r["block"], r["epoch"])
parts = {key(r): r for r in parts}
assert len(parts) >= 8
for r in whole:
    for k in ("steps", "samples", "train_loss", "test_loss"):
        assert r[k] == parts[key(r)][k], (r, parts[key(r)])
END
echo "ok: its rows are the whole run's"
expect "and gone on with" 75 "the same command goes on" \
    stop_behind $(($(rows) + 4)) "$adonis" train exp.yaml name=parts until=20000ep
expect "evaluated" 0 "" "$adonis" eval runs/whole

expect "an async run" 0 "" "$adonis" train exp.yaml name=async mode=async edge.policy=priority-lifo replicas=3 data.batch=4
expect "replayed to the bit" 0 "" "$adonis" replay runs/async

expect "too many" 2 "'replicas' cannot be '17'" "$adonis" plan exp.yaml replicas=17
expect "none" 2 "'replicas' cannot be '0'" "$adonis" plan exp.yaml replicas=0
expect "more than the set has batches" 2 "8 in each of 6 replicas, and the set has 45 samples: no batch to learn from" \
    "$adonis" plan exp.yaml replicas=6
expect "bench net" 2 "exp.yaml:7:11: bench net measures one replica, not 2" "$adonis" bench net exp.yaml
