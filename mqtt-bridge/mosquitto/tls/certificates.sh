#!/bin/sh
# Makes a certificate authority of your own and a certificate of the broker, signed by it, with
# openssl 1.1.1 or later. Devices need ca.crt; the broker needs server.crt and server.key; ca.key is
# for later certificates and is best kept elsewhere.
#
#   sh certificates.sh <folder> <name or address that devices use> [more of them]
#
# Run again with the same folder, it keeps the authority and renews the broker's certificate.
set -eu

[ $# -ge 2 ] || { echo "usage: certificates.sh <folder> <name or address> ..." >&2; exit 2; }
folder=$1
shift
mkdir -p "$folder"
cd "$folder"
umask 077

names=
for name in "$@"; do
  case $name in
    *:*) kind=IP ;;
    *[!0-9.]*) kind=DNS ;;
    *) kind=IP ;;
  esac
  names="${names:+$names,}$kind:$name"
done

cat >openssl.cnf <<END
[req]
distinguished_name = dn
prompt = no
[dn]
CN = Confab devices
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $names
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END

if [ ! -s ca.key ]; then
  openssl ecparam -name prime256v1 -genkey -noout -out ca.key
  openssl req -x509 -new -key ca.key -sha256 -days 3650 -config openssl.cnf -extensions authority \
    -out ca.crt
fi
openssl ecparam -name prime256v1 -genkey -noout -out server.key
openssl req -new -key server.key -sha256 -config openssl.cnf -subj "/CN=$1" -out server.csr
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days 397 \
  -extfile openssl.cnf -extensions server -out server.crt
rm -f server.csr openssl.cnf
chmod 644 ca.crt server.crt
