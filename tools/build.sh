#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh PRESET [-DOPTION=VALUE...] [TARGET...]: configures build/PRESET and builds it, quietly
# unless something fails.
set -eu
cd "$(dirname "$0")/.."

preset=$1
shift
options=
while :; do
    case "${1-}" in
    -D*) options="$options $1" && shift ;;
    *) break ;;
    esac
done

[ -e "build/$preset" ] || echo "building $preset"
mkdir -p build
log=build/$preset.log
# shellcheck disable=SC2086
if ! cmake --preset "$preset" $options >"$log" 2>&1 ||
    ! cmake --build "build/$preset" --parallel "$(nproc)" ${1:+--target "$@"} >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
