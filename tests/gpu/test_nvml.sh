#!/usr/bin/env bash
# What `adonis devices` and `doctor` say of GPUs by NVML, and without it. Environment: the lab's, with three GPUs or more.
# $1: the program. $2: a folder with the lab's libnvidia-ml.so.1, which knows two of them. 77 without python3.
# shellcheck source=tests/support/script.sh
. "$(dirname "$0")/../support/script.sh"
with_nvml() {
    LD_LIBRARY_PATH="$nvml:$LD_LIBRARY_PATH" "$@"
}
nvml=$2

expect "devices by NVML" 0 "" with_nvml "$adonis" devices
grep -qE "^cuda:0 .*, 41 C, 85 of 700 W, 97% busy, 2 other processes with 3072 MiB$" out || fail "not all is said of cuda:0"
grep -qE "^cuda:1 .*, compute capability 7.5, up to 350 W$" out || fail "more or less is said of cuda:1 than is known"
grep -qE "^cuda:2 .*, compute capability 7.5$" out || fail "something is said of cuda:2, which NVML does not know"
prints "driver 999.11.22, by NVML"
expect "as JSON" 0 "" with_nvml "$adonis" devices --json
python3 -c 'import json
g = {d["device"]: d for d in json.load(open("out"))}
zero, one, two = g["cuda:0"], g["cuda:1"], g["cuda:2"]
assert zero["driver"] == "999.11.22" and zero["power_w"] == 85.4 and zero["power_limit_w"] == 700, zero
assert zero["temperature_c"] == 41 and zero["busy_percent"] == 97, zero
assert zero["other_processes"] == 2 and zero["other_mib"] == 3072, zero
assert one["driver"] == "999.11.22" and one["power_w"] is None and one["power_limit_w"] == 350, one
assert not {"temperature_c", "busy_percent", "other_processes", "other_mib"} & set(one), one
assert not {"driver", "power_w"} & set(two), two
assert "driver" not in g["cpu"]' || fail "the JSON says something else"
expect "doctor finds it" 0 "" with_nvml "$adonis" doctor
grep -qE "^ok +NVML +driver 999.11.22$" out || fail "doctor does not find NVML"
expect "no GPU, no word of it" 0 "" env CUDALAB_DEVICES=0 LD_LIBRARY_PATH="$nvml:$LD_LIBRARY_PATH" "$adonis" doctor
! grep -q NVML out || fail "doctor speaks of NVML without a GPU"

if ldconfig -p | grep -q 'libnvidia-ml\.so\.1'; then exit 0; fi
expect "devices without NVML" 0 "" "$adonis" devices
grep -qE "^cuda:0 .*, compute capability 7.5$" out || fail "something is said that nobody knows"
! grep -qi nvml out said || fail "devices speaks of NVML"
expect "as JSON" 0 "" "$adonis" devices --json
! grep -q '"driver"\|"power' out || fail "the JSON has values that nobody knows"
expect "doctor misses it" 0 "" "$adonis" doctor
grep -qE "^missing +NVML +libnvidia-ml.so.1 cannot be loaded" out || fail "doctor does not miss NVML"
mkdir broken && touch broken/libnvidia-ml.so.1
expect "a broken one is none" 0 "" env LD_LIBRARY_PATH="$dir/broken:$LD_LIBRARY_PATH" "$adonis" devices
! grep -qi nvml out said || fail "devices speaks of a broken NVML"
