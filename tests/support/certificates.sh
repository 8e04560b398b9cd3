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
default_crl_days = 3650
rand_serial = yes
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

# certify NAME OPTIONS: by itself, or with -CA and -CAkey
certify() {
    name=$1
    shift
    openssl req -x509 -new -config openssl.cnf -key "$name.key" -subj "/CN=$name" -days 3650 \
        -out "$name.pem" "$@"
}

authority() {
    key "$1"
    certify "$@" -extensions authority
}

# issued NAME CA SUBJECT_ALT_NAMES: all who are no authority have one key
issued() {
    cp self_signed.key "$1.key"
    certify "$1" -CA "$2.pem" -CAkey "$2.key" -addext "subjectAltName=$3"
}

# from NAME START END
from() {
    cp self_signed.key "$1.key"
    openssl req -new -config openssl.cnf -key "$1.key" -subj "/CN=$1" \
        -addext "subjectAltName=DNS:server.test" -out "$1.csr"
    openssl ca -config openssl.cnf -batch -notext -cert ca.pem -keyfile ca.key -in "$1.csr" \
        -out "$1.pem" -startdate "$2" -enddate "$3"
}

key self_signed
certify self_signed -addext "subjectAltName=DNS:server.test"
authority ca
authority other_ca
authority middle -CA ca.pem -CAkey ca.key
issued good ca "DNS:server.test,DNS:localhost,IP:127.0.0.1,IP:::1"
issued other_name ca "DNS:other.test,IP:192.0.2.1"
issued wildcard ca "DNS:*.server.test"
issued two_labels ca "DNS:*.*.server.test"
issued stranger other_ca "DNS:server.test"
issued revoked ca "DNS:server.test"
issued client ca "DNS:client.test"
issued leaf middle "DNS:server.test"
from expired 20200101000000Z 20210101000000Z
from future 20900101000000Z 20910101000000Z
cat leaf.pem middle.pem >chain.pem
openssl ca -config openssl.cnf -cert ca.pem -keyfile ca.key -revoke revoked.pem
openssl ca -config openssl.cnf -cert ca.pem -keyfile ca.key -gencrl -out crl.pem
