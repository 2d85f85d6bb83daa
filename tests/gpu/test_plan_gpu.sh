#!/usr/bin/env bash
# adonis plan --gpu: plans for GPU models that are not here, by cuDNN alone. On the lab, whose GPU is an emulated H100,
# the same config is planned the ordinary way too: for the H100 both must say the same, where no plan is timed.
# $1: the program. $2: a folder with a libcuda.so.1 for cuDNN's compiler. Environment: the lab's. 77 without python3.
# shellcheck source=tests/support/script.sh
. "$(dirname "$0")/../support/script.sh"
driver=$2
models="a100 b200 h100 rtx4090"

prints_line() { # PATTERN of one
    grep -qE -- "$1" out || fail "no line is like '$1'"
}
alone() { # COMMAND... without the lab: no GPU, unless it is a real one, which must not matter
    env -u LD_PRELOAD LD_LIBRARY_PATH="$driver" "$@"
}
bare() { # and without what cuDNN compiles with
    env -u LD_PRELOAD -u LD_LIBRARY_PATH "$@"
}

make_noise 8500 12
cat > exp.yaml << 'END'
version: 1
mode: async
until: 1ep
data: {name: idx, root: data, batch: 8, drop_last: true}
model: {units: [{conv: 8}, {conv: 16}, {residual: 16}], cuts: [1, 2]}
aux: {kind: cnn, conv: 1}
edge: {slots: 3}
END
export ADONIS_CACHE=$dir/cache

for model in $models; do
    expect "a plan for $model" 0 "" alone "$adonis" plan exp.yaml --gpu "$model"
    case $model in
        a100) name="NVIDIA A100-SXM4-80GB" mib=81062.3 ;;
        b200) name="NVIDIA B200" mib=182628.6 ;;
        h100) name="NVIDIA H100 80GB HBM3" mib=81062.3 ;;
        rtx4090) name="NVIDIA GeForce RTX 4090" mib=24080.3 ;;
    esac
    prints "cuda:0 ($name), not here; activations in fp32"
    prints_line "^2 .* cuda:0 +-$"
    prints_line "^0 +unit1.conv +conv_fwd .* cudnn, engine [0-9]+, bias fused$"
    prints_line "^cuda:0: [0-9.]+ of $mib MiB, "
    prints "Nothing was measured, and no GPU took part: planned for the $name by its properties alone, with CUDA "
    prints_line "^resident: the data set is in the memory of block 0's GPU, "
    ! grep -q "libcuda" out || fail "it says that nothing is compiled"

    expect "as JSON" 0 "" alone "$adonis" plan exp.yaml --gpu "$model" --json
    cp out "$model.json"
    python3 - "$model" "$name" << 'END' || fail "the JSON says something else"
import json, sys
p = json.load(open("out"))
g = p["gpu"]
assert g["model"] == sys.argv[1] and g["name"] == sys.argv[2], g
assert g["is_here"] is False and g["is_measured"] is False and g["compiles"] is True and g["without_plan"] == 0, g
convs = [c for b in p["blocks"] for c in b["convolutions"]]
passes = {c["pass"] for c in convs}
assert passes == {"conv_fwd", "conv_grad_src", "conv_grad_param"}, passes
assert all(c["algorithm"] == "cudnn" and c["detail"].startswith("engine ") for c in convs), convs
assert all(b["workspace_bytes"] >= c["workspace_bytes"] for b in p["blocks"] for c in b["convolutions"])
assert [b["device"] for b in p["blocks"]] == ["cuda:0"] * 3
# All that a run allocates: the tables, 32 MiB for cuBLAS in each block, labels and results.
parts = sum(2 * b["parameter_bytes"] + b["gradient_bytes"] + b["activation_bytes"] + b["workspace_bytes"]
            for b in p["blocks"]) + sum(e["bytes"] for e in p["edges"]) + p["resident_bytes"] + 3 * (32 << 20)
d, = g["devices"]
assert d["device"] == "cuda:0" and d["fits"] is True, d
assert 0 <= d["bytes"] - parts < 1 << 20, (d["bytes"], parts)
END
    echo "ok: which adds up"
done
cmp -s h100.json a100.json && fail "another model plans the same"

# The lab's GPU is an H100 that cuDNN plans for through a handle. What was planned without it is no plan for it.
kept() { find cache -type f | wc -l; }
before=$(kept)
expect "the lab's own plan" 0 "" env CUDALAB_DEVICES=1 "$adonis" plan exp.yaml gpu.plans=first --json
python3 - << 'END' || fail "the lab's H100 is planned for in another way"
import json
here, absent = json.load(open("out")), json.load(open("h100.json"))
assert "gpu" not in here
assert here["blocks"] == absent["blocks"] and here["edges"] == absent["edges"]
END
[ "$(kept)" -gt "$before" ] || fail "plans of a GPU that is not here are taken for one that is"
echo "ok: is the same, and its plans are its own"
expect "a set that stays on the host" 0 "" alone "$adonis" plan exp.yaml --gpu "$model" --json data.resident=false
python3 - "$model" << 'END' || fail "the set is not in the sum"
import json, sys
there, host = (json.load(open(f)) for f in (sys.argv[1] + ".json", "out"))
more = there["gpu"]["devices"][0]["bytes"] - host["gpu"]["devices"][0]["bytes"]
assert host["resident_bytes"] == 0 and there["resident_bytes"] > 8500, there["resident_bytes"]
assert 0 <= more - there["resident_bytes"] < 4096, more # what becomes of a batch
END
expect "on a machine with GPUs too" 0 "" env CUDALAB_DEVICES=2 "$adonis" plan exp.yaml --gpu a100 --json
cmp -s out a100.json || fail "GPUs that are here change the plan"

expect "bf16" 0 "" alone "$adonis" plan exp.yaml --gpu h100 precision=bf16
prints_line "^0 +unit1.conv +conv_grad_param .* cudnn bf16, engine [0-9]+, compiled, filled up by ours$"
if ! ldconfig -p | grep -q 'libcuda\.so\.1'; then
    expect "without a driver, bf16 lacks plans" 4 "h100: cuDNN has no plan for" bare "$adonis" plan exp.yaml --gpu h100 precision=bf16
    prints_line "^0 +unit1.conv +conv_grad_param .* none$"
    prints "There is no libcuda.so.1 here"
    prints "cuDNN has no plan for "
    expect "in JSON" 4 "" bare "$adonis" plan exp.yaml --gpu h100 precision=bf16 --json
    python3 -c 'import json
g = json.load(open("out"))["gpu"]
assert g["without_plan"] > 0 and g["compiles"] is False, g' || fail "the JSON does not say so"
fi

expect "several GPUs, as blocks names them" 0 "" \
    alone "$adonis" plan exp.yaml --gpu h100 "blocks=[{}, {device: cuda:1}, {device: cuda:2}]"
prints_line "^cuda:2: "
expect "replicas on GPUs of their own" 0 "" alone "$adonis" plan exp.yaml --gpu h100 replicas=2
prints_line "^cuda:1: "
prints "replica 1: block 0 on cuda:1"
expect "the virtual schedule" 0 "" alone "$adonis" plan exp.yaml --gpu h100 schedule=virtual
large=(data.resident=false data.batch=8400 "model.units=[{conv: 4096}, {conv: 16}, {conv: 8}]")
expect "what does not fit" 4 "cuda:0: a run needs 104134 MiB, and this model, rtx4090, has 24080: lower data.batch" \
    alone "$adonis" plan exp.yaml --gpu rtx4090 "${large[@]}"
prints_line "^cuda:0: 104134[.0-9]* of 24080.3 MiB.*: DOES NOT FIT"
expect "plans that may need what they like" 4 "cuda:0: a run needs 130905 MiB" \
    alone "$adonis" plan exp.yaml --gpu rtx4090 "${large[@]}" gpu.workspace=inf
expect "in JSON" 4 "" alone "$adonis" plan exp.yaml --gpu rtx4090 "${large[@]}" --json
prints '"fits": false'

expect "no such model" 2 "unknown GPU model 'h10' (did you mean 'h100'?): expected one of a100, b200, h100, rtx4090" \
    alone "$adonis" plan exp.yaml --gpu h10
expect "no model" 2 "plan: --gpu needs a value" alone "$adonis" plan exp.yaml --gpu
expect "blocks on the cpu" 2 "blocks[1].device: cpu, but the plan is for a GPU, h100: auto or cuda:N" \
    alone "$adonis" plan exp.yaml --gpu h100 "blocks=[{}, {device: cpu}, {}]"
expect "cuts that are measured" 2 "auto measures units, and there is no h100 to measure them on" \
    alone "$adonis" plan exp.yaml --gpu h100 model.cuts=auto
expect "too many GPUs" 2 "100 GPUs of model h100: at most 64" \
    alone "$adonis" plan exp.yaml --gpu h100 "blocks=[{}, {device: cuda:99}, {}]"
"$adonis" help plan > out
prints "a100, b200, h100 or rtx4090"
