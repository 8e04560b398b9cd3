#!/bin/sh
# SPDX-License-Identifier: MIT
# soak.sh [ARGUMENT...]: the property tests over SOAK_SEEDS seeds each, in the hard and asan builds.
set -eu
cd "$(dirname "$0")/.."

SOS_PROPERTY_SEEDS=${SOAK_SEEDS:-1000000}
export SOS_PROPERTY_SEEDS
for program in build/hard/tests/test_property* build/asan/tests/test_property*; do
    [ -x "$program" ] || continue
    echo "soak: $program, $SOS_PROPERTY_SEEDS seeds"
    "$program" "$@"
done
