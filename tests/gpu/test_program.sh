#!/usr/bin/env bash
# The program on GPUs, as many as there are: what devices, plan and bench say, a run that is stopped and goes on, an
# async one that is replayed to the bit, an evaluation on the cpu of what GPUs trained; and what it refuses.
# $1: the program. 77 where there is no GPU, or no python3 to make images.
# shellcheck source=tests/support/script.sh
. "$(dirname "$0")/../support/script.sh"

prints_line() { # PATTERN of one
    grep -qE -- "$1" out || fail "no line is like '$1'"
}
n_gpu=$("$adonis" devices --json | python3 -c 'import json, sys
print(sum(d["device"].startswith("cuda") for d in json.load(sys.stdin)))')
if [ "$n_gpu" = 0 ]; then
    if [ -n "${ADN_REQUIRE_GPU:-}" ]; then fail "there is no GPU"; fi
    echo "skipped: no GPU"
    exit 77
fi

make_noise 44 12
cat > exp.yaml << 'END'
version: 1
mode: sync
until: 3ep
data: {name: idx, root: data, batch: 8, augment: [flip]}
model: {units: [{conv: 4}, {conv: 8}, {conv: 8}, {conv: 8}], cuts: every}
aux: {kind: linear}
optim: {lr: 0.05}
checkpoint: {every: 1ep, keep: {last: 5, best: 0}}
END
four() { # DEVICE... of each block
    echo "blocks=[{device: $1}, {device: $2}, {device: $3}, {device: $4}]"
}

# Ctrl-C as soon as there is a checkpoint.
stop_after_first_save() {
    interruptible "$@" &
    local pid=$!
    until compgen -G "runs/parts/ckpt/e*/manifest.json" > /dev/null; do
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.01
    done
    kill -INT "$pid"
    wait "$pid"
}

expect "doctor finds the GPUs" 0 "" "$adonis" doctor
prints_line "^ok +GPUs +$n_gpu; CUDA "
prints_line "^ok +NCCL +2\\."
expect "devices names them" 0 "" "$adonis" devices
prints_line "^cuda:$((n_gpu - 1)) "
expect "plan shares blocks out" 0 "" "$adonis" plan exp.yaml
prints_line "^0 .* cuda:0 +-$"
prints_line "^3 .* cuda:$((n_gpu < 4 ? n_gpu - 1 : 3)) +-$"
prints_line "activations in fp32"
prints_line "^resident: the data set is in the memory of block 0's GPU, "
expect "plan keeps to what is said" 0 "" "$adonis" plan exp.yaml "$(four cpu cpu cpu cpu)"
prints_line "^3 .* cpu +[0-9]+$"
expect "tf32 is of GPUs" 0 "" "$adonis" plan exp.yaml precision=tf32
prints_line "activations in tf32"
expect "automatic cuts are measured on a GPU" 0 "predicted ms a step" "$adonis" plan exp.yaml model.cuts=auto
expect "bench times operations" 0 "" "$adonis" bench net exp.yaml --steps 2 --warmup 1 --json
python3 -c 'import json
b = json.load(open("out"))["blocks"]
assert all(r["seconds"] > 0 for x in b for r in x["ops"]), b
assert b[0]["device"] == "cuda:0", b' || fail "bench: operations without time"

expect "a GPU that is not there" 4 "blocks[1].device: cuda:99: this process may use $n_gpu GPU" \
    "$adonis" plan exp.yaml "$(four cuda:0 cuda:99 cuda:0 cuda:0)"
expect "both kinds" 2 "blocks[0].device: cuda:0, but blocks[2].device: cpu" \
    "$adonis" plan exp.yaml "$(four cuda:0 cuda:0 cpu cuda:0)"
expect "tf32 on the cpu" 2 "tf32 is of GPUs" "$adonis" plan exp.yaml precision=tf32 "$(four cpu cpu cpu cpu)"
expect "a resident set on the cpu" 2 "argument 'data.resident=true': is for GPUs" \
    "$adonis" plan exp.yaml data.resident=true "$(four cpu cpu cpu cpu)"
expect "an algorithm of the cpu" 2 "argument 'model.conv=winograd': of the cpu" "$adonis" plan exp.yaml model.conv=winograd
expect "a team on a GPU" 2 "blocks[0].threads: a GPU has no team" "$adonis" plan exp.yaml "blocks=[{threads: 2}, {}, {}, {}]"

expect "a run" 0 "" "$adonis" train exp.yaml name=whole until=30ep
grep -q "device: cuda:0 *# auto" runs/whole/config.resolved.yaml || fail "what auto became is not in the config"
grep -q "resident: true *# auto" runs/whole/config.resolved.yaml || fail "the set is not in the GPU's memory"
expect "the same run, stopped" 75 "" stop_after_first_save "$adonis" train exp.yaml name=parts until=30ep
expect "and gone on with" 0 "" "$adonis" train exp.yaml name=parts until=30ep
cut -d, -f1-9 runs/whole/epochs.csv | sort > whole
cut -d, -f1-9 runs/parts/epochs.csv | sort > parts
cmp -s whole parts || fail "a run that was stopped has other rows"
echo "ok: its rows are the whole run's"

expect "an async run" 0 "" "$adonis" train exp.yaml name=async mode=async edge.policy=priority-lifo edge.slots=3
expect "replayed to the bit" 0 "" "$adonis" replay runs/async
grep -q '"[^"]* [0-9a-f]\{16\}[^"]*": "engine [0-9]' runs/async/plan.json || fail "plan.json does not say what cuDNN's plans are"
cp -r runs/async runs/other
sed -i 's/": "engine [0-9]*/": "engine 9999/' runs/other/plan.json
expect "replay takes the plans of plan.json, and says where it can't" 0 "cuDNN does not offer engine 9999" "$adonis" replay runs/other
echo '{"choices": [1]}' > runs/other/plan.json
expect "a damaged plan.json" 3 "runs/other/plan.json: is damaged" "$adonis" replay runs/other
expect "cuDNN's first plans" 0 "" "$adonis" train exp.yaml name=first gpu.plans=first gpu.workspace=1MiB until=1ep
expect "a workspace of no unit" 2 "expected a number above 0 with a unit: KiB, MiB or GiB; or inf" \
    "$adonis" plan exp.yaml gpu.workspace=100
if [ "$n_gpu" -ge 2 ]; then
    expect "plan puts replicas on GPUs of their own" 0 "" "$adonis" plan exp.yaml replicas=2
    prints_line "^replica 1: block 0 on cuda:$((n_gpu / 2 < 4 ? n_gpu / 2 : 4)),"
    expect "an async run of two replicas" 0 "" "$adonis" train exp.yaml name=two mode=async replicas=2 data.batch=4 \
        edge.link=nccl
    expect "replayed to the bit" 0 "" "$adonis" replay runs/two
    expect "evaluated on the cpu, too" 0 "" env CUDA_VISIBLE_DEVICES= CUDALAB_DEVICES=0 "$adonis" eval runs/two
fi
expect "a replica too many" 4 "replicas=$((n_gpu + 1))': $((n_gpu + 1)) replicas, each on 1 GPU of its own: this process may use $n_gpu" \
    "$adonis" plan exp.yaml replicas=$((n_gpu + 1)) data.batch=2
expect "evaluated on GPUs" 0 "" "$adonis" eval runs/whole
cp out on_gpus
expect "evaluated on the cpu" 0 "" env CUDA_VISIBLE_DEVICES= CUDALAB_DEVICES=0 "$adonis" eval runs/whole
python3 - << 'END' || fail "the cpu evaluates to something else"
rows = [[list(map(float, l.split()[:3])) for l in list(open(f))[1:]] for f in ("on_gpus", "out")]
assert len(rows[0]) == 4 == len(rows[1])
for a, b in zip(*rows):
    assert a[0] == b[0] and abs(a[1] - b[1]) < 1e-4 and a[2] == b[2], (a, b)
END
echo "ok: to the same"
expect "a run in tf32" 0 "" "$adonis" train exp.yaml name=tf32 precision=tf32 until=1ep
expect "evaluated on the cpu, which has none" 0 "" env CUDA_VISIBLE_DEVICES= CUDALAB_DEVICES=0 "$adonis" eval runs/tf32
