# What tests of the program share. Sourced, with the program as $1; goes into a folder of its own, which is removed at
# the end. Ends the test with 77 where there is no python3 to make images.
# shellcheck shell=bash
set -euo pipefail
adonis=$(realpath "$1")
command -v python3 > /dev/null || {
    echo "skipped: no python3"
    exit 77
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() {
    echo "FAILED: $1"
    tail -n 20 said out 2> /dev/null | sed 's/^/    /' || true
    exit 1
}
# NAME CODE TEXT COMMAND...: the command's exit code, and what it must say on stderr (TEXT may be empty).
expect() {
    local name=$1 code=$2 text=$3 got=0
    shift 3
    "$@" > out 2> said || got=$?
    [ "$got" = "$code" ] || fail "$name: exit code $got instead of $code: $*"
    [ -z "$text" ] || grep -qF -- "$text" said || fail "$name: '$text' is not said by: $*"
    echo "ok: $name"
}
prints() { # TEXT, of the last command
    grep -qF -- "$1" out || fail "'$1' is not printed"
}
interruptible() { # a shell's background jobs ignore SIGINT, unless they ask for it
    exec python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$@"
}
# N_TRAIN N_TEST: noise of 8 x 8 in three classes, as an idx set in data/.
make_noise() {
    python3 - "$@" << 'END'
import os, random, struct, sys
random.seed(2)
os.mkdir("data")
for name, n in zip(("train", "t10k"), map(int, sys.argv[1:])):
    labels = bytes(random.randrange(3) for _ in range(n))
    pixels = bytes(random.randrange(256) for _ in range(n * 64))
    open(f"data/{name}-images-idx3-ubyte", "wb").write(struct.pack(">IIII", 0x803, n, 8, 8) + pixels)
    open(f"data/{name}-labels-idx1-ubyte", "wb").write(struct.pack(">II", 0x801, n) + labels)
END
}
