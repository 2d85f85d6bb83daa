#!/usr/bin/env bash
# datasets/get and `adonis data check`: a right set passes, a damaged one does not, nothing is overwritten.
# $1: the program. Uses Debian's Fashion-MNIST; exit code 77 where there is none.
set -euo pipefail
adonis=$1
from=/usr/share/datasets/fashion-mnist
get=$(cd "$(dirname "$0")/../.." && pwd)/datasets/get
[ -d "$from" ] || {
    echo "skipped: no $from (Debian package dataset-fashion-mnist)"
    exit 77
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
    echo "FAILED: $1"
    exit 1
}
# code, text that must be said, command...
expect() {
    local code=$1 text=$2 got=0
    shift 2
    "$@" >"$dir/said" 2>&1 || got=$?
    [ "$got" = "$code" ] || fail "exit code $got instead of $code: $* ($(cat "$dir/said"))"
    grep -qF -- "$text" "$dir/said" || fail "'$text' is not said by: $* ($(cat "$dir/said"))"
}

expect 0 "next: adonis data check data.name=idx data.root=$dir/good" "$get" fashion-mnist "$from" "$dir/good"
expect 2 "exists already" "$get" fashion-mnist "$from" "$dir/good"
expect 2 "'imagenet' is not known" "$get" imagenet "$from" "$dir/none"
expect 3 "does not exist" "$get" cifar10 "$dir/nowhere" "$dir/none"
expect 3 "has no file data_batch_1.bin" "$get" cifar10 "$from" "$dir/none"
expect 3 "MD5 is not the recorded" "$get" mnist "$from" "$dir/none"
[ ! -e "$dir/none" ] || fail "a refused set was left in place"

expect 0 "train: 60000 images of 28 x 28 x 1, 10 classes" "$adonis" data check data.name=idx "data.root=$dir/good"
expect 0 '"per_class": [6000, 6000,' "$adonis" data check --json data.name=idx "data.root=$dir/good"
expect 2 "not yet" "$adonis" data pack
expect 3 "$dir/good has one" "$adonis" data check data.name=idx "data.root=$dir"

labels=$dir/good/t10k-labels-idx1-ubyte.gz
cp "$labels" "$dir/whole"
head -c 4000 "$dir/whole" >"$labels"
expect 3 "$labels: ends at byte 4000" "$adonis" data check data.name=idx "data.root=$dir/good"
expect 3 "no whole gzip file" "$get" fashion-mnist "$dir/good" "$dir/none"
[ "$(find "$dir" -name '*.part.*' | wc -l)" = 0 ] || fail "a temporary folder was left"
echo "datasets: all passed"
