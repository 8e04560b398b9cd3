#!/bin/sh
# SPDX-License-Identifier: MIT
# test.sh [CTEST ARGUMENT...]: builds every build that has tests, then runs all their tests, those
# of one build beside those of another, in one ctest, whose summary ends the run.
set -eu
cd "$(dirname "$0")/.."

builds="debug debug-clang asan hard"
all=build/all
mkdir -p $all
: >$all/CTestTestfile.cmake
for build in $builds; do
    [ ! -e "build/$build" ] || echo "building $build"
    tools/build.sh "$build"
    echo "subdirs(\"../$build\")" >>$all/CTestTestfile.cmake
done
exec ctest --test-dir $all --parallel "$(nproc)" --output-on-failure --no-tests=error "$@"
