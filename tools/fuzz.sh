#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz.sh [NAME]: runs each fuzz target of build/fuzz, or the one named, for FUZZ_SECONDS. What it
# learns goes to build/fuzz/corpus/NAME; fuzz/corpus/NAME holds the inputs that are kept.
set -eu
cd "$(dirname "$0")/.."

found=no
for program in build/fuzz/fuzz/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    name=${program##*/fuzz_}
    [ -z "${1-}" ] || [ "$1" = "$name" ] || continue
    found=yes
    grown=build/fuzz/corpus/$name
    mkdir -p "$grown" build/fuzz/crash
    kept=
    [ ! -d "fuzz/corpus/$name" ] || kept=fuzz/corpus/$name
    echo "fuzzing $name for ${FUZZ_SECONDS:-60} s"
    "$program" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="build/fuzz/crash/$name-" "$grown" ${kept:+"$kept"}
done
[ $found = yes ] || echo "no fuzz target${1:+ named $1}"
