#!/bin/sh
# Makes an authority and a certificate for the two servers, once. Names that bots use for them go into NAMES.
set -eu
folder=${CERTIFICATES:-/certificates}
names=${NAMES:-DNS:primary,DNS:standby,DNS:localhost,IP:127.0.0.1}
[ -s "$folder/server.crt" ] && exit 0
cd "$folder"
openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj '/CN=authority of the bot' \
  -keyout authority.key -out authority.crt
openssl req -newkey rsa:3072 -nodes -subj '/CN=primary' -keyout server.key -out server.csr
printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\n' "$names" > server.ext
openssl x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 825 \
  -extfile server.ext -out server.crt
chmod 600 authority.key server.key
# The server refuses a key that belongs to somebody else.
if [ "$(id -u)" = 0 ]; then chown postgres server.key; fi
