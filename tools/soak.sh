#!/bin/sh
# SPDX-License-Identifier: MIT
# soak.sh [ARGUMENT...]: the property tests over SOAK_SEEDS seeds each, in the hard and asan builds, and
# a client process with a store that is killed SOAK_KILLS times.
set -eu
cd "$(dirname "$0")/.."

SOS_PROPERTY_SEEDS=${SOAK_SEEDS:-1000000}
export SOS_PROPERTY_SEEDS
for program in build/hard/tests/test_property* build/asan/tests/test_property*; do
    [ -x "$program" ] || continue
    echo "soak: $program, $SOS_PROPERTY_SEEDS seeds"
    "$program" "$@"
done

SOS_MQTT_KILLS=${SOAK_KILLS:-1000}
export SOS_MQTT_KILLS
for program in build/hard/tests/test_mqtt_sim build/hard/tests/test_mqtt_power_sim \
    build/hard/tests/test_mqtt_store; do
    [ -x "$program" ] || continue
    echo "soak: $program"
    "$program"
done
