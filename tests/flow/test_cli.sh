#!/usr/bin/env bash
# The program as its users meet it: exit codes, messages, a run from its start over a stop to its end.
# $1: the program. Makes its own images; exit code 77 where there is no python3 to make them.
configs=$(cd "$(dirname "$0")/../../configs" && pwd)
# shellcheck source=tests/support/script.sh
. "$(dirname "$0")/../support/script.sh"

n_lines() {
    if [ -f "$1" ]; then wc -l < "$1"; else echo 0; fi
}
is_json() {
    python3 -m json.tool out > /dev/null || fail "no JSON: $1"
    echo "ok: $1"
}
# NAME CHECKS: lines of python about `out`, which must be JSON, as `j`.
holds() {
    python3 -c "import json; j = json.load(open('out')); $2" > said 2>&1 || fail "$1"
    echo "ok: $1"
}

python3 - << 'END'
import random, struct
random.seed(1)
def put(name, n):  # the class is the bright quarter of a noisy image
    labels = bytes(i % 4 for i in range(n))
    pixels = bytearray()
    for k in labels:
        for y in range(16):
            for x in range(16):
                pixels.append(random.randrange(100) + (25 if (y // 8) * 2 + x // 8 == k else 0))
    open(f"data/{name}-images-idx3-ubyte", "wb").write(struct.pack(">IIII", 0x803, n, 16, 16) + pixels)
    open(f"data/{name}-labels-idx1-ubyte", "wb").write(struct.pack(">II", 0x801, n) + labels)
import os
os.mkdir("data")
put("train", 200)
put("t10k", 60)
END
cat > a.yaml << 'END'
version: 1
mode: sync
until: 3ep
data: {name: idx, root: data, batch: 32, augment: []}
model: {units: [{conv: 4}, {pool: 2, conv: 4}], cuts: [1]}
aux: {kind: mlp, hidden: 1}
classifier: {hidden: 0}
optim: {name: sgd, lr: 0.05, momentum: 0.9}
END
sed 's/momentum:/momentun:/' a.yaml > unknown.yaml

# --- what is typed wrong, and what helps
expect no_command 2 "adonis help" "$adonis"
expect unknown_command_has_a_guess 2 "unknown command 'trian' (did you mean 'train'?)" "$adonis" trian
expect command_of_later 2 "not yet" "$adonis" predict
expect unknown_option_has_a_guess 2 "unknown option '--jsn' (did you mean '--json'?)" "$adonis" plan a.yaml --jsn
expect one_word_too_many 2 "one argument too many" "$adonis" train a.yaml b.yaml
expect debug_says_where 2 ", seen at " "$adonis" --debug plan nowhere.yaml
expect debug_may_stand_anywhere 2 ", seen at " "$adonis" plan nowhere.yaml --debug
expect help 0 "" "$adonis" help
prints "usage: adonis COMMAND"
expect help_of_a_command 0 "" "$adonis" train --help
prints "usage: adonis train CONFIG"
expect version 0 "" "$adonis" version
prints "adonis "
prints "oneDNN "
prints "processor code "
expect version_as_json 0 "" "$adonis" version --json
is_json version_is_json
isa=$(sed -n 's/.*"isa": "\([a-z0-9]*\)".*/\1/p' out)
[ -n "$isa" ] || fail "version --json has no isa"
expect another_processor_can_be_asked_for 0 "" env ADONIS_ISA=portable "$adonis" version
prints "processor code portable (4 floats a vector)"
for command in "version" "plan a.yaml" "train a.yaml" "bench net a.yaml"; do
    # shellcheck disable=SC2086
    expect "no_such_processor: $command" 2 "ADONIS_ISA=v0: this machine runs " env ADONIS_ISA=v0 "$adonis" $command
done
[ ! -e runs ] || fail "a run on no such processor has left a folder"
expect devices 0 "" "$adonis" devices --json
is_json devices_as_json
expect completion 0 "" "$adonis" completion bash
bash -n out || fail "the completion script is no bash"
[ "$(bash -c 'source ./out; COMP_WORDS=(adonis tra); COMP_CWORD=1; _adonis; echo "${COMPREPLY[*]}"')" = train ] ||
    fail "completion of 'tra'"
[ "$(bash -c 'source ./out; COMP_WORDS=(adonis plan --); COMP_CWORD=2; _adonis; echo "${COMPREPLY[*]}"')" = \
    "--debug --help --gpu --json" ] || fail "completion of 'plan --'"

# --- configs and data
if [ -f "$configs/tiny.yaml" ]; then
    expect tiny_yaml_is_right 0 "" "$adonis" config check "$configs/tiny.yaml"
fi
expect unknown_key 2 "unknown.yaml:8:30: error: unknown key 'momentun' in 'optim' (did you mean 'momentum'?)" \
    "$adonis" config check unknown.yaml
expect unknown_key_in_an_argument 2 "argument 'optim.lrr=1'" "$adonis" train a.yaml optim.lrr=1
expect missing_config 2 "none.yaml" "$adonis" train none.yaml
expect missing_data 3 "nowhere" "$adonis" train a.yaml data.root=nowhere
[ ! -e runs ] || fail "a run that could not begin has left a folder"
expect plan_over_bf16 0 "" "$adonis" plan a.yaml precision=bf16
prints "activations in bf16"
expect plan 0 "" "$adonis" plan a.yaml
prints "activations in fp32"
prints "processor code $isa "
grep -q '^1  *unit2.conv  *[a-z]' out || fail "plan prints no algorithm of unit2.conv"
if "$adonis" version | grep -q "built without CUDA"; then
    expect plan_for_a_gpu_without_cuda 4 "GPU model h100: this program was built without CUDA" "$adonis" plan a.yaml --gpu h100
fi
expect plan_as_json 0 "" env ADONIS_ISA=portable "$adonis" plan a.yaml --json
holds plan_has_processor_and_algorithms "
assert j['isa'] == 'portable', j['isa']
assert [list(b['algorithms']) for b in j['blocks']] == [
    ['unit1.conv', 'aux.0.fc1', 'aux.0.fc2'], ['unit2.conv', 'classifier.fc1']]
assert all(b['optimizer_bytes'] == b['parameter_bytes'] for b in j['blocks'])"
expect plan_with_adamw 0 "" "$adonis" plan a.yaml optim.name=adamw --json
holds plan_counts_both_moments "
assert all(b['optimizer_bytes'] == 2 * b['parameter_bytes'] for b in j['blocks'])"

# --- a benchmark: each operation has a row, and what is summed up is the sum
bench=(bench net a.yaml --steps 9 --warmup 1 "blocks[0].threads=2" "blocks[1].threads=1")
expect bench 0 "" "$adonis" "${bench[@]}"
mv out table
expect bench_as_json 0 "" "$adonis" "${bench[@]}" --json
holds bench_has_a_row_for_each_operation "
def learned(b):  # what learns: the rest may be fused some day
    return [o['layer'] + ' ' + o['kind'] for o in b['ops'] if o['kind'].split('_')[0] not in ('norm', 'pool', 'relu')]
assert [learned(b) for b in j['blocks']] == [
    ['unit1.conv normalise', 'unit1.conv conv_fwd', 'aux.0.fc1 linear_fwd', 'aux.0.fc2 linear_fwd', 'aux.0.fc2 loss',
     'aux.0.fc2 linear_grad_param', 'aux.0.fc2 linear_grad_src', 'aux.0.fc1 linear_grad_param',
     'aux.0.fc1 linear_grad_src', 'unit1.conv conv_grad_param', 'weights sgd', ' copy'],
    ['unit2.conv conv_fwd', 'classifier.fc1 linear_fwd', 'classifier.fc1 loss', 'classifier.fc1 linear_grad_param',
     'classifier.fc1 linear_grad_src', 'unit2.conv conv_grad_param', 'weights sgd', ' copy']]
for o in j['blocks'][0]['ops'] + j['blocks'][1]['ops']:
    assert o['runs'] in (9, 18) if o['kind'] == 'copy' else o['runs'] == 9, o  # results, and labels handed on
    assert o['seconds'] > 0 and o['gb_s'] > 0 and o['floor_s'] > 0, o
    assert (o['gflop_s'] > 0) == (o['kind'].split('_')[0] in ('conv', 'linear')), o
    assert (o['algo'] != '') == (o['kind'] != 'copy'), o"
holds bench_sums_up "
from math import isclose
def total(rows, key):
    return sum(r[key] for r in rows)
for b in j['blocks']:
    for rows in b['ops'], b['kinds']:
        assert isclose(total(rows, 'seconds'), b['busy_s']) and isclose(total(rows, 'floor_s'), b['floor_s']), b
    for k in b['kinds']:
        same = [o for o in b['ops'] if o['kind'] == k['kind']]
        assert same and isclose(total(same, 'seconds'), k['seconds']) and total(same, 'runs') == k['runs'], k
assert j['img_s'] > 0 and j['peak_rss_mib'] > 0 and j['steps'] == 9 and j['batch'] == 32 and j['isa'] == '$isa'
a = j['core_s']
assert isclose(a['floor'], sum(b['threads'] * b['floor_s'] for b in j['blocks'])), a
assert isclose(a['floor'] + a['above_floor'], sum(b['threads'] * b['busy_s'] for b in j['blocks'])), a
assert isclose(a['all'], j['cores'] * j['seconds']), a
parts = a['floor'] + a['above_floor'] + a['beside'] + a['idle']
assert isclose(parts, a['all']) if a['idle'] > 0 else parts >= a['all'], a"
holds bench_prints_the_same_rows "
parts = open('table').read().split('\n\n')
rows = parts[1].splitlines()[1:]
told = [(int(r[:5]), r[7:27].strip(), r[29:46].strip(), r[48:57].strip()) for r in rows]
assert told == [(b['block'], o['layer'], o['kind'], o['algo']) for b in j['blocks'] for o in b['ops']], told
def near(sum_ms, rows):  # of numbers with three decimals
    assert abs(sum_ms - sum(rows)) < 0.001 * (len(rows) + 1), (sum_ms, rows)
blocks = [b.split() for b in parts[2].splitlines()[1:] if b[0].isdigit()]
for b in blocks:
    near(float(b[2]), [float(r[57:].split()[0]) for r in rows if r.split()[0] == b[0]])
kinds = [k.split() for k in parts[3].splitlines()[1:]]
near(float(kinds[-1][2]), [float(k[2]) for k in kinds[:-1]])
near(float(kinds[-1][2]), [float(b[2]) for b in blocks])
assert len(parts[4].splitlines()) == 5, parts[4]"
expect bench_over_the_end 0 "" "$adonis" bench net a.yaml until=4st --steps 9 --warmup 0 --json
holds bench_counts_the_steps_that_were "assert j['steps'] == 4 and j['blocks'][1]['ops'][0]['runs'] == 4, j"

# --- a run to its end
expect train 0 "runs/a: begins, 2 blocks" "$adonis" train a.yaml
if grep -q "no step was finished" said; then fail "a run that goes on is said to stand still"; fi
prints "run: runs/a"
[ "$(n_lines runs/a/epochs.csv)" = 7 ] || fail "epochs.csv has not 2 x 3 rows"
for file in env plan; do
    grep -q "\"isa\": \"$isa\"" runs/a/$file.json || fail "$file.json does not say the processor"
done
expect train_again_says_finished 0 "this run is finished; --new begins another" "$adonis" train a.yaml --json
is_json summary_as_json
expect another_config_is_refused 2 "optim.lr = 0.01" "$adonis" train a.yaml optim.lr=0.01
expect new_takes_a_fresh_name 0 "runs/a-2: begins" "$adonis" train a.yaml --new until=1ep

# --- its checkpoint
expect eval 0 "" "$adonis" eval a
awk -F, '$1 == 3 { print $2, $8, $9 }' runs/a/epochs.csv | sort > logged
awk 'NR > 1 { print $1, $2, $3 }' out > tested
cmp -s logged tested || fail "eval prints $(cat tested), epochs.csv has $(cat logged)"
expect eval_as_json 0 "" "$adonis" eval runs/a best --json
is_json eval_prints_json
expect eval_of_no_run 2 "nothing" "$adonis" eval nothing
expect ckpt_ls 0 "" "$adonis" ckpt ls a
prints "e0003-b0000"
expect ckpt_ls_as_json 0 "" "$adonis" ckpt ls a --json
is_json ckpt_prints_json
expect ckpt_verify 0 "" "$adonis" ckpt verify a
printf 'X' | dd of="runs/a-2/ckpt/e0001-b0000/block0.safetensors" bs=1 seek=300 conv=notrunc 2> /dev/null
expect damaged_checkpoint 6 "block0.safetensors" "$adonis" ckpt verify a-2
expect eval_of_a_damaged_one 6 "block0.safetensors" "$adonis" eval a-2

# --- sync: shares of time, no more
expect sync_again 0 "" "$adonis" train a.yaml
grep -Eq '^block .* img/s +working +waits in +waits out$' out || fail "sync has no shares of time"
[ "$(grep -c . out)" = 4 ] || fail "sync says more than a table and its run"
expect bp_has_no_shares 0 "" "$adonis" train a.yaml mode=bp name=alone until=1ep
if grep -q working out; then fail "bp has nobody to wait for"; fi

# --- async: in modelled time, so that every number comes again
cat > v.yaml << 'END'
version: 1
mode: async
schedule: virtual
until: 2ep
data: {name: idx, root: data, batch: 32, augment: []}
model: {units: [{conv: 4}, {pool: 2, conv: 4}, {conv: 4}], cuts: every}
aux: {kind: mlp, hidden: 1}
classifier: {hidden: 0}
edge: {slots: 4, max_reuse: 2, max_age: 9}
blocks: [{}, {}, {edge: {slots: 3, policy: lifo, when_full: block, max_age: inf, max_reuse: inf, emit: fresh}}]
optim: {name: sgd, lr: 0.05, momentum: 0.9}
chaos: {step: 100ms, slow: {block: 1, factor: 3}, link: {edge: 2, delay: 50ms, bandwidth: 10Mb/s, loss: 0.3}}
END
expect plan_async 0 "" "$adonis" plan v.yaml
grep -Eq '^0 +32x16x16x1 +0\.01 +2 +0 +2 +fifo +block +1 +inf +none' out || fail "plan has no such row of edge 0"
grep -Eq '^1 +32x8x8x4 +0\.03 +4 +4 +2 +priority-lifo +drop_oldest +2 +9 +none' out ||
    fail "plan has no such row of edge 1"
grep -Eq '^2 +32x8x8x4 +0\.03 +3 +[0-9]+ +2 +lifo +block +inf +inf +none' out || fail "plan has no such row of edge 2"
prints "modelled time (schedule virtual, draw clock): seconds of a model, not measured"
grep -Eq '^1 +0\.3 +0 +inf +0 +0$' out || fail "plan has no such times of block 1"
grep -Eq '^2 +0\.1 +0\.05 +10 +0\.02[0-9]* +0\.3$' out || fail "plan has no such times of block 2"
prints "speed-up bound by modelled step times: 1.67x"
mv out table
expect plan_async_as_json 0 "" "$adonis" plan v.yaml --json
holds plan_counts_the_memory_of_spares "
from math import isclose
assert j['mode'] == 'async' and j['schedule'] == 'virtual' and isclose(j['modelled_bound'], 5 / 3), j
assert all(isclose(b['step_s'], s) for b, s in zip(j['blocks'], (0.1, 0.3, 0.1))), j
e = j['edges']
assert [x['policy'] for x in e] == ['fifo', 'priority-lifo', 'lifo'], e
assert [x['when_full'] for x in e] == ['block', 'drop_oldest', 'block'], e
assert [x['max_reuse'] for x in e] == [1, 2, 'inf'] and [x['max_age'] for x in e] == ['inf', 9, 'inf'], e
assert [x['emit'] for x in e] == ['every', 'every', 'fresh'], e
assert [x['slots'] for x in e] == [2, 4, 3] and e[0]['spare_slots'] == 0 and e[1]['spare_slots'] == 4, e
assert e[2]['spare_slots'] > 4, 'those on the way'
for x in e:
    assert x['bytes'] == x['slot_bytes'] * (x['slots'] + x['spare_slots'] + x['test_slots']), x
assert 'delay_s' not in e[0] and e[1]['loss'] == 0 and e[1]['bandwidth_bit_s'] is None, e
assert e[2]['delay_s'] == 0.05 and e[2]['bandwidth_bit_s'] == 1e7 and e[2]['loss'] == 0.3, e
assert isclose(e[2]['transfer_s'], 8 * e[2]['slot_bytes'] / 1e7), e
state = sum(2 * b['parameter_bytes'] + b['gradient_bytes'] + b['activation_bytes'] + b['workspace_bytes']
            for b in j['blocks'])
total = (state + sum(x['bytes'] for x in e)) / 2**20
assert f'memory planned: {total:.1f} MiB' in open('table').read(), total"
expect plan_threads 0 "" "$adonis" plan v.yaml schedule=threads chaos.slow=[] chaos.link=[]
if grep -q modelled out; then fail "plan of threads has modelled times"; fi
expect train_async 0 "  reread " "$adonis" train v.yaml
mv out told
expect train_async_as_json 0 "" "$adonis" train v.yaml --json
holds async_tells_what_the_run_showed "
import csv
from math import isclose
def rows(name):
    return [{k: float(v) if v else None for k, v in r.items()} for r in csv.DictReader(open(f'runs/v/{name}.csv'))]
told = open('told').read()
assert j['mode'] == 'async' and j['is_modelled'] and len(j['blocks']) == 3 and len(j['edges']) == 2, j
spans, work = [], []
for b in j['blocks']:
    mine = [r for r in rows('epochs') if r['block'] == b['block']]
    span = sum(r['span_s'] for r in mine)
    ins = sum(r['wait_in'] * r['span_s'] for r in mine)
    outs = sum((r['wait_out'] or 0) * r['span_s'] for r in mine)
    spans.append(span)
    work.append(sum(r['busy'] * r['span_s'] for r in mine))
    idle = (span - work[-1]) / span
    assert isclose(b['wait_in'], idle * ins / (ins + outs), abs_tol=1e-12) if ins + outs else b['wait_in'] == 0, b
    assert isclose(b['working'], work[-1] / span), b
    if b['block'] < 2:
        assert isclose(b['wait_in'] + b['wait_out'] + b['working'], 1), b
    for r in mine:
        assert isclose(r['busy'], max(0, 1 - r['wait_in'] - (r['wait_out'] or 0))), r
    assert (b['wait_out'] is None) == (b['block'] == 2) and b['reread'] == mine[-1]['reread'], b
    head = f\"head of block {b['block']}: {b['test_top1']:.2f}%\"
    assert head in told, head
assert isclose(j['seconds'], max(spans)) and isclose(j['blocks_at_once'], sum(work) / max(spans)), j
assert j['blocks'][2]['wait_in'] > 0.05 and j['blocks'][1]['working'] > 0.9, 'block 1 takes three times as long'
line = f\"{j['blocks_at_once']:.2f} of 3 blocks worked at once on average, over {j['seconds']:.1f} s of modelled time\"
assert line in told, line
for e in j['edges']:
    mine = [r for r in rows('edges') if r['edge'] == e['edge']]
    for key in ('pushed', 'pulled', 'dropped', 'reused', 'lost'):
        assert e[key] == sum(r[key] for r in mine), (key, e)
    assert isclose(e['age_mean'], sum(r['pulled'] * (r['age_mean'] or 0) for r in mine) / e['pulled'], abs_tol=1e-12), e
    def part(n, of):
        return f'{n} ({100 * n / of:.1f}%)' if n else '0'
    line = f\"block {e['edge']} read {e['pulled']} batches, {part(e['reused'], e['pulled'])} of them again, \" \
        f\"{e['age_mean']:.1f} steps of block {e['edge'] - 1} old on average, {e['age_max']} at most\"
    assert line in told, line
    line = f\"block {e['edge'] - 1} handed on {e['pushed']} batches, {part(e['dropped'], e['pushed'])} of them dropped unread\"
    assert line + (f\"; {e['lost']} more lost on the way\" if e['lost'] else '') + '\n' in told, line
assert j['edges'][0]['dropped'] > 0 and j['edges'][1]['lost'] > 0 and j['edges'][1]['reused'] > 0, 'all of it was seen'"
cp -r runs/v runs/hand
sed -i 1q runs/hand/epochs.csv
cat >> runs/hand/epochs.csv << 'END'
1,0,7,200,0.1,1,50,1,50,100,0.5,0,9,0,10,0.2
2,0,14,400,0.1,1,50,1,50,100,0,0.5,29,0,30,0.6
1,1,14,400,0.1,1,50,1,50,100,0,0,39,0,40,1
END
expect rows_by_hand 0 "" "$adonis" train v.yaml name=hand --json
holds idle_time_is_divided_as_the_hosts_waits "
a, b = j['blocks']
assert (a['working'], a['wait_in'], a['wait_out']) == (0.5, 0.125, 0.375), a
assert (b['working'], b['wait_in']) == (1, 0) and j['blocks_at_once'] == 1.5 and j['seconds'] == 40, j"
holds events_have_edges_and_rereads "
import csv
events = [json.loads(line) for line in open('runs/v/events.jsonl')]
edges = [e for e in events if e.get('event') == 'edge']
told = list(csv.DictReader(open('runs/v/edges.csv')))
assert len(edges) == len(told) > 0
for e, r in zip(edges, told):
    assert set(r) - {k for k in r if not r[k]} <= set(e), (e, r)
    assert all(float(r[k]) == e[k] for k in e if k != 'event'), (e, r)
epochs = [e for e in events if e.get('event') == 'epoch']
assert [e['reread'] for e in epochs] == [int(r['reread']) for r in csv.DictReader(open('runs/v/epochs.csv'))]"
expect replay_async 0 "" "$adonis" replay v
expect async_in_real_time 0 "" "$adonis" train v.yaml schedule=threads chaos.slow=[] chaos.link=[] name=real
prints "; a block that waits for a core counts as working"
awk -F, 'NR > 1 && $15 > 0 && !($16 > 0 && $16 <= 1) { bad = 1 } END { exit bad }' runs/real/epochs.csv ||
    fail "busy is no share of time"

# --- runs side by side: what of their configs differs, then results
expect compare_two_runs 0 "" "$adonis" compare a runs/a-2
prints "until   3ep  1ep"
[ "$(grep -c . out)" = 10 ] || fail "compare prints other lines than 1 difference, 2 + 2 blocks, 1 + 1 edges, 3 headers"
if grep -q . said; then fail "compare talks"; fi
expect begin_by_bp 0 "" "$adonis" train a.yaml mode=bp name=bp until=7ep optim.lr=0.01
sed -i -E '2,$s/,0,([^,]*,[^,]*)$/,17,\1/' runs/bp/epochs.csv # rereads, of which there are none before async
sed -i 1q runs/a/edges.csv
cat >> runs/a/edges.csv << 'END'
1,0,7,7,0,0,0.5,,0,0,0,100,,0,0
1,1,10,8,3,2,0.25,0.5,1,4,5,100,,1,1.5
2,1,10,4,3,2,0.5,0.5,2,9,11,100,,1,2.5
3,1,10,0,0,0,1,,0,0,0,100,,0,
END
cp -r runs/a runs/none
sed -i 1q runs/none/epochs.csv
sed -i 1q runs/none/edges.csv
expect compare_as_json 0 "" "$adonis" compare a bp none --json
holds compare_finds_what_differs "
c = j['config']
assert c['until'] == ['3ep', '7ep', '3ep'] and c['optim.lr'] == ['0.05', '0.01', '0.05'], c
assert c['mode'] == ['sync', 'bp', 'sync'] and c['edge.slots'] == ['8', None, '8'], c
assert c['aux.kind'] == ['mlp', None, 'mlp'], c
assert not {'name', 'runs', 'seed', 'optim.momentum', 'version'} & set(c), c"
holds compare_has_the_last_results_and_the_mean_of_five "
import csv
from math import isclose
assert [r['run'] for r in j['runs']] == ['a', 'bp', 'none'] and j['runs'][2]['blocks'] == [], j
for r, n_block in zip(j['runs'], (2, 1)):
    assert len(r['blocks']) == n_block, r
    for b in r['blocks']:
        rows = [x for x in csv.DictReader(open(f'runs/{r[\"run\"]}/epochs.csv')) if int(x['block']) == b['block']]
        tops = [float(x['test_top1']) for x in rows]
        assert b['test_top1'] == tops[-1] and isclose(b['test_top1_mean5'], sum(tops[-5:]) / len(tops[-5:])), b
        assert b['epoch'] == len(rows) and b['steps'] == int(rows[-1]['steps']) and b['rereads'] == int(rows[-1]['reread']), b
        assert b['train_top1'] == float(rows[-1]['train_top1']) and b['img_s'] == float(rows[-1]['img_s']), b"
holds compare_sums_edges_up "
assert [r['edges'] for r in j['runs'][1:]] == [[], []], j
assert j['runs'][0]['edges'] == [
    {'edge': 0, 'pushed': 7, 'pulled': 7, 'dropped': 0, 'reused': 0, 'lost': 0, 'reuse': 1, 'dropped_percent': 0,
     'age_mean': 0, 'age_max': 0, 'age_p50': 0, 'age_p99': 0, 'starved_s': 0.5},
    {'edge': 1, 'pushed': 30, 'pulled': 12, 'dropped': 6, 'reused': 4, 'lost': 2, 'reuse': 1.5, 'dropped_percent': 20,
     'age_mean': 22 / 12, 'age_max': 11, 'age_p50': 2, 'age_p99': 9, 'starved_s': 1.75}], j['runs'][0]['edges']"
expect compare_as_a_table 0 "" "$adonis" compare a bp none
prints "none  has no epochs yet"
grep -Eq '^a +1 +30 +12 +1\.50 +20\.00 +2 +9 +1\.75$' out || fail "compare has no such row of edge 1"
grep -Eq '^edge\.slots +8 +- +8$' out || fail "compare has no such row of edge.slots"
expect compare_of_the_same 0 "" "$adonis" compare a none
prints "config: no differences"
expect compare_of_one 0 "" "$adonis" compare a
if grep -q config out; then fail "one run is said to differ from none"; fi
expect compare_of_no_run 2 "nothing: is no run's folder" "$adonis" compare a nothing
expect compare_of_nothing 2 "something is missing" "$adonis" compare
sed -i 's/^until:.*/until: 3epp/' runs/none/config.resolved.yaml
expect compare_of_a_broken_config 2 "runs/none/config.resolved.yaml:" "$adonis" compare a none

# --- a stop, and on
long=(until=150ep checkpoint.every=20ep eval.every=50ep)
expect whole_run 0 "" "$adonis" train a.yaml "${long[@]}" name=whole
"$adonis" train a.yaml "${long[@]}" name=halves > out 2> said &
pid=$!
for _ in $(seq 3000); do
    [ "$(n_lines runs/halves/epochs.csv)" -le 3 ] || break
    sleep .01
done
kill -TERM $pid
got=0
wait $pid || got=$?
[ "$got" = 75 ] || fail "SIGTERM: exit code $got instead of 75"
grep -qF "stopped and saved" said || fail "SIGTERM: it does not say that it saved"
echo "ok: sigterm_saves_and_exits_75"
cp -r runs/halves runs/mixed
sed -i 's/"isa": "[a-z0-9]*"/"isa": "v0"/' runs/mixed/env.json
expect resume_can_be_refused 2 "" "$adonis" train a.yaml "${long[@]}" name=halves --resume never
expect same_command_goes_on 0 "runs/halves: goes on after step" "$adonis" train a.yaml "${long[@]}" name=halves
if grep -q "processor code" said; then fail "a run that goes on where it began is warned"; fi
began="runs/mixed: began with processor code v0, and this is $isa: results will differ in rounding"
expect another_processor_is_told_on_resume 0 "$began" "$adonis" train a.yaml "${long[@]}" name=mixed
expect another_processor_is_told_on_eval 0 "$began" "$adonis" eval mixed
for block in 0 1; do
    cmp "runs/whole/ckpt/last/block$block.safetensors" "runs/halves/ckpt/last/block$block.safetensors" ||
        fail "stop and resume ends in other weights than no stop"
done
for name in whole halves; do # blocks write their rows as they come; what follows column 9 is of time
    cut -d, -f1-9 "runs/$name/epochs.csv" | sort -t, -k1n -k2n > $name.csv
done
cmp whole.csv halves.csv || fail "stop and resume has other rows than no stop"
echo "ok: stop_and_resume_equals_no_stop"

# --- cuts by measured times: two blocks of four units, the same ones in plan, run, resume and eval
auto=('model.units=[{conv: 4}, {pool: 2, conv: 4}, {conv: 4}, {conv: 4}]' model.cuts=auto "blocks=[{}, {}]")
expect plan_with_automatic_cuts 0 "model.cuts: auto: measuring 4 units with" "$adonis" plan a.yaml "${auto[@]}"
prints "predicted ms/step"
prints "by measured times"
expect plan_without_them 0 "" "$adonis" plan a.yaml
prints "by multiply-adds"
if grep -q predicted out; then fail "a time is predicted though nothing was measured"; fi
expect run_with_automatic_cuts 0 "model.cuts: auto makes 2 blocks" "$adonis" train a.yaml "${auto[@]}" name=auto
grep -qE 'predicted [0-9]+ img/s \(slowest block [01]: [0-9.]+ ms a step\), measured [0-9]+ img/s' said ||
    fail "it does not say what came of the prediction"
cp runs/auto/plan.json out
holds plan_json_has_predictions "assert all(b['predicted_ms'] > 0 for b in j['blocks']), j"
last=$(python3 -c "import json; print(json.load(open('runs/auto/plan.json'))['blocks'][0]['last_unit'])")
grep -qE "^  cuts: \[$last\] +# auto" runs/auto/config.resolved.yaml || fail "the cuts after unit $last are not stored"
expect eval_takes_the_stored_cuts 0 "" "$adonis" eval auto
if grep -q measuring said; then fail "eval measures anew"; fi
other=$((last % 3 + 1)) # no choice that could be made anew by chance
rm -r runs/auto/ckpt
sed -i "s/cuts: \[$last\]/cuts: [$other]/" runs/auto/config.resolved.yaml
sed -i 's/"state": "finished"/"state": "stopped"/' runs/auto/status.json
expect resume_takes_the_stored_cuts 0 "the run begins again" "$adonis" train a.yaml "${auto[@]}" name=auto
if grep -q measuring said; then fail "resume measures anew"; fi
grep -q "unit$other.conv.weight" runs/auto/ckpt/last/block0.safetensors || fail "block 0 ends before unit $other"
if grep -q "unit$((other + 1)).conv.weight" runs/auto/ckpt/last/block0.safetensors; then fail "it ends behind it"; fi
echo "ok: automatic_cuts_are_chosen_once"

# --- on fewer cores than it began with: the same teams, so the same bits
expect begin_on_all_cores 0 "" "$adonis" train a.yaml mode=bp until=1ep name=teams
threads=$(sed -n 's/^ *-* *threads: *\([0-9]*\) .*/\1/p' runs/teams/config.resolved.yaml)
if [ "$threads" -ge 2 ]; then
    sed -i 's/"state": "finished"/"state": "stopped"/' runs/teams/status.json # as a kill behind its last save
    core=$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//')
    expect teams_stay_on_fewer_cores 0 "block 0 began with $threads threads; this machine gives 1 cores" \
        taskset -c "$core" "$adonis" train a.yaml mode=bp until=1ep name=teams
else
    echo "skipped: one core, of which there are no fewer"
fi
