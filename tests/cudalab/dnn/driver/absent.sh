#!/usr/bin/env bash
# absent.sh STUB OWN: C source of every entry of the driver STUB that the C file OWN does not define. They return
# CUDA_ERROR_NO_DEVICE, and CUDALAB_DRIVER_LOG shows them.
set -euo pipefail
stub=$1 own=$2

# Defined functions begin a line of OWN; the stub's symbols may have versions behind an @.
defined=$(sed -nE 's/^CUresult (cu[A-Za-z0-9_]+)\(.*/\1/p' "$own" | sort -u)
entries=$(nm -D --defined-only "$stub" | awk '$3 ~ /^cu/ { sub(/@.*/, "", $3); print $3 }' | sort -u)

echo 'void lab_note(const char *name);'
comm -23 <(echo "$entries") <(echo "$defined") | while read -r name; do
    echo "int $name(void) { lab_note(\"$name\"); return 100; }"
done
