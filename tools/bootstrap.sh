#!/bin/sh
# SPDX-License-Identifier: MIT
# bootstrap.sh run|servers|test|bench|size|lint|fuzz: installs the Debian packages that this purpose needs
# and that are missing. Silent when there is nothing to do. SOS_BOOTSTRAP=no turns it off.
set -eu
exec </dev/null

# package, the purposes it serves, why
packages() {
    cat <<'TABLE'
gcc                      run,test,bench,size,lint        C compiler
libc6-dev                run,test,bench,size,lint,fuzz   C library headers
cmake                    run,test,bench,lint,fuzz        build system
ninja-build              run,test,bench,lint,fuzz        build system
pkg-config               run,test,bench,lint,fuzz        finds libraries
libjansson-dev           run,test,bench,lint,fuzz        reads the JSON configuration
zlib1g-dev               run,test,bench,lint,fuzz        compresses HTTP and WebSocket
libc-ares-dev            run,test,bench,lint,fuzz        resolves names
python3                  servers,test,bench,size,lint    test and measurement scripts
libssl-dev               run,test,bench,lint,fuzz        TLS
openssl                  servers,test,bench              certificates, and a peer of our TLS
g++                      test,bench,lint                 headers as C++17, C++20 peer
clang                    test,lint,fuzz                  second compiler
libclang-rt-14-dev       test,fuzz                       fuzzing runtime
clang-tools              test,lint                       clang-query for the lint rules
clang-format             lint                            formatting
valgrind                 test                            memory checker
libc6-dbg                test                            lets valgrind read the C library
gcc-arm-none-eabi        test,bench,size                 Cortex-M compiler
gcc-riscv64-unknown-elf  test,bench                      RISC-V compiler
gcc-xtensa-lx106         test,bench                      ESP8266 compiler
qemu-system-arm          test,bench                      boots the Cortex-M firmware
qemu-system-misc         test,bench                      boots the RISC-V and lx106 firmware
redis-server             servers,test,bench              server for the Redis client
nginx                    servers,test,bench              server for the HTTP client
libnginx-mod-nchan       test                            server for the SSE client
mosquitto                servers,test,bench              server for the MQTT client
python3-websockets       servers,test                    server for the WebSocket client
nodejs                   test,bench                      runs the next one
node-ws                  test,bench                      server for the WebSocket client
libmosquitto-dev         bench                           peer to compare with
libuv1-dev               bench                           peer to compare with
libhiredis-dev           bench                           peer to compare with
libwebsockets-dev        bench                           peer to compare with
libcurl4-openssl-dev     bench                           peer to compare with
wrk                      bench                           peer to compare with
TABLE
}

purpose=${1:?which purpose: run, servers, test, bench, size, lint or fuzz}
[ "${SOS_BOOTSTRAP:-yes}" != no ] || exit 0
command -v dpkg-query >/dev/null 2>&1 || exit 0 # not Debian: the compiler will say what is missing

wanted=$(packages | awk -v purpose="$purpose" '("," $2 ",") ~ ("," purpose ",") { print $1 }')
# shellcheck disable=SC2086 # one word a package
present=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
    awk '$2 == "installed" { printf " %s ", $1 }') || true
missing=
for package in $wanted; do
    case "$present" in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

reasons=$(packages | awk -v missing="$missing " 'index(missing, " " $1 " ") {
    why = $3; for (i = 4; i <= NF; i++) why = why " " $i
    list = list (list ? ", " : "") $1 " (" why ")" } END { print list }')
echo "smallOS: make $purpose needs packages that are missing, installing through apt: $reasons"

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "smallOS: cannot install without root or sudo; as root: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" \
        >>"$log" 2>&1
}
# shellcheck disable=SC2086
if ! apt install --no-install-recommends $missing; then
    # The package lists may be absent or stale.
    if ! apt update || ! apt install --no-install-recommends $missing; then
        tail -n 20 "$log" >&2
        echo "smallOS: apt could not install$missing" >&2
        exit 1
    fi
fi
