#!/usr/bin/env bash
# tools/seeds: every variant and seed once, rows kept, what is there not run again. $1: the program.
# Makes its own images; exit code 77 where there is no python3.
set -euo pipefail
adonis=$(realpath "$1")
seeds=$(cd "$(dirname "$0")/../../tools" && pwd)/seeds
command -v python3 > /dev/null || {
    echo "skipped: no python3"
    exit 77
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

python3 - << 'END'
import random, struct

random.seed(1)
for name, n in (("train", 64), ("t10k", 32)):
    with open(f"{name}-images-idx3-ubyte", "wb") as file:
        file.write(struct.pack(">4i", 0x803, n, 8, 8) + bytes(random.randrange(256) for _ in range(n * 64)))
    with open(f"{name}-labels-idx1-ubyte", "wb") as file:
        file.write(struct.pack(">2i", 0x801, n) + bytes(k % 10 for k in range(n)))
END
cat > mini.yaml << END
version: 1
mode: sync
until: 2ep
data: {name: idx, root: $dir, batch: 16}
model: {units: [{conv: 4}, {pool: 2, conv: 4}], cuts: every}
aux: {kind: linear}
classifier: {hidden: 0}
optim: {name: sgd, lr: 0.01, schedule: {kind: constant}}
END

run() {
    "$seeds" mini.yaml rows.csv --adonis "$adonis" --seeds "$@" \
        --variant "direct model.conv=direct" --variant "winograd model.conv=winograd" > out 2> said
}
fail() {
    echo "FAILED: $1"
    cat out said
    exit 1
}
run 1 --bound 100 || fail "the first seed"
[ "$(wc -l < rows.csv)" = 3 ] || fail "two rows below a head"
grep -q "^[0-9-]*,winograd,1,2,[0-9]*,model.conv=winograd,[0-9.]*,[0-9.]*" rows.csv || fail "winograd's row"
grep -q "conv: winograd" runs/mini-winograd-1/config.resolved.yaml || fail "the override"
echo "ok: a row for each variant"

cp rows.csv before.csv
run 1 2 --bound 100 || fail "the second seed"
head -3 rows.csv | cmp -s before.csv || fail "rows that were there changed"
[ "$(wc -l < rows.csv)" = 5 ] || fail "two rows more"
[ "$(grep -c "adonis train" said)" = 2 ] || fail "what was there was run again"
echo "ok: rows that are there are kept"

expected=$(awk -F, '$2 == "direct" {n++; s += $7} END {printf "%.2f", s / n}' rows.csv)
deviation=$(awk -F, '$2 == "direct" {x[n++] = $7} END {d = x[0] - x[1]; printf "%.2f", (d < 0 ? -d : d) / sqrt(2)}' rows.csv)
grep -q "^| direct | 2 | $expected ± $deviation (+0.00) |" out || fail "the mean over seeds, $expected ± $deviation"
sed -i 's/,winograd,1,\(.*\),[0-9.]*$/,winograd,1,\1,99.000/' rows.csv
if run 1 2 --bound 5; then fail "a variant far off is within the bound"; fi
grep -q "NOT within 5.0 points" out || fail "what is far off is not said"
echo "ok: the table and its bound"
run 1 2 --bound inf || fail "a variant far off, without a bound"
if grep -q "points" out; then fail "there is no bound, and it is spoken of"; fi
echo "ok: the table alone"
