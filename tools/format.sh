#!/bin/sh
# SPDX-License-Identifier: MIT
# format.sh [--check]: formats the C and C++ source in place, or lists what it would change.
set -eu
cd "$(dirname "$0")/.."

# The samples of the lint rules mark lines by comments, which formatting would move.
files() {
    find include src ports demos bench tests fuzz -type f \
        \( -name '*.c' -o -name '*.h' -o -name '*.cpp' \) \
        ! -path 'tests/lint/samples/*' 2>/dev/null | sort
}
if [ "${1-}" != --check ]; then
    files | xargs -r clang-format -i
    exit
fi
bad=$(files | while read -r file; do
    clang-format "$file" | cmp -s - "$file" || echo "$file"
done)
[ -n "$bad" ] || exit 0
echo "$bad" | sed 's/$/: not as make format would have it/'
exit 1
