#!/bin/sh
# SPDX-License-Identifier: MIT
# certificates.sh FOLDER: makes in it, for each NAME below, NAME.pem and NAME.key; crl.pem, the list
# of what ca has revoked; and chain.pem, `leaf` with the intermediate CA that issued it.
set -eu
cd "$1"
exec >certificates.log 2>&1

cat >openssl.cnf <<'CNF'
[ca]
default_ca = root
[root]
database = index.txt
new_certs_dir = .
default_md = sha256
default_days = 3650
default_crl_days = 3650
rand_serial = yes
unique_subject = no
policy = any
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
CN = unused
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
CNF
: >index.txt

key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
}

# self NAME [EXTENSIONS]: signed by itself
self() {
    name=$1
    shift
    key "$name"
    openssl req -x509 -new -config openssl.cnf -key "$name.key" -subj "/CN=$name" \
        -days 3650 -out "$name.pem" "$@"
}

# issued NAME CA SUBJECT_ALT_NAMES [OPTIONS OF openssl ca]
issued() {
    name=$1 authority=$2 names=$3
    shift 3
    key "$name"
    openssl req -new -config openssl.cnf -key "$name.key" -subj "/CN=$name" \
        -addext "subjectAltName=$names" -out "$name.csr"
    openssl ca -config openssl.cnf -batch -notext -cert "$authority.pem" -keyfile "$authority.key" \
        -in "$name.csr" -out "$name.pem" "$@"
}

self ca -extensions authority
self other_ca -extensions authority
self self_signed -addext "subjectAltName=DNS:server.test"
issued good ca "DNS:server.test,DNS:localhost,IP:127.0.0.1,IP:::1"
issued expired ca "DNS:server.test" -startdate 20200101000000Z -enddate 20210101000000Z
issued future ca "DNS:server.test" -startdate 20900101000000Z -enddate 20910101000000Z
issued other_name ca "DNS:other.test,IP:192.0.2.1"
issued wildcard ca "DNS:*.server.test"
issued two_labels ca "DNS:*.*.server.test"
issued stranger other_ca "DNS:server.test"
issued revoked ca "DNS:server.test"
issued client ca "DNS:client.test"
issued middle ca "DNS:middle.test" -extensions authority
issued leaf middle "DNS:server.test"
cat leaf.pem middle.pem >chain.pem
openssl ca -config openssl.cnf -cert ca.pem -keyfile ca.key -revoke revoked.pem
openssl ca -config openssl.cnf -cert ca.pem -keyfile ca.key -gencrl -out crl.pem
