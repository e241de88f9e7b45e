#!/bin/sh
# Makes the certificates of this folder anew, for the tests of TLS. They are committed: tests need no openssl, and they
# are valid from 2020 to 2120, whatever the clock of a machine says.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
: > "$work/index"
cat > "$work/config" <<END
[ca]
default_ca = own
[own]
database = $work/index
new_certs_dir = $work
rand_serial = yes
policy = any
unique_subject = no
default_startdate = 20200101000000Z
default_enddate = 21200101000000Z
[any]
commonName = supplied
[plain]
basicConstraints = CA:FALSE
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = keyCertSign
[host]
basicConstraints = CA:FALSE
subjectAltName = DNS:db.example,DNS:*.pool.example,IP:10.0.0.7,DNS:localhost
[own_authority]
basicConstraints = critical,CA:TRUE
subjectAltName = DNS:db.example
[req]
distinguished_name = name
[name]
END
EC='ec -pkeyopt ec_paramgen_curve:prime256v1'

# make NAME COMMON_NAME EXTENSIONS DIGEST KEY…, signed by itself, or by $signer
make() {
  name=$1 common=$2 extensions=$3 digest=$4
  shift 4
  openssl req -config "$work/config" -new -nodes -subj "/CN=$common" -newkey "$@" -keyout "$work/$name.key" -out "$work/$name.csr" 2> /dev/null
  by="-selfsign -keyfile $work/$name.key"
  [ -z "${signer:-}" ] || by="-cert $signer.pem -keyfile $work/$signer.key"
  # shellcheck disable=SC2086
  openssl ca -batch -config "$work/config" -extensions "$extensions" -md "$digest" $by ${options:-} -notext -in "$work/$name.csr" -out "$name.pem" 2> /dev/null
}

make ecdsa-sha1 x plain sha1 $EC
make ecdsa-sha256 x plain sha256 $EC
make ecdsa-sha384 x plain sha384 $EC
make ecdsa-sha512 x plain sha512 $EC
make ed25519 x plain default ed25519
make rsa-md5 x plain md5 rsa:1024
make rsa-sha512 x plain sha512 rsa:1040
options='-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32'
make rsa-pss-sha384 x plain sha384 rsa:1024
options=
make authority 'Authority of tests' authority sha256 $EC
make own db.example own_authority sha256 $EC
cp "$work/own.key" own.key
signer=authority
make host db.example host sha384 $EC
cp "$work/host.key" host.key
make nameless db.example plain sha256 $EC
