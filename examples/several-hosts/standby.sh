#!/bin/sh
# Copies the primary once, then runs as its standby.
set -eu
PGDATA=${PGDATA:-/var/lib/postgresql/data}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  PGPASSWORD=$(cat /run/secrets/replicator)
  export PGPASSWORD
  until pg_basebackup --pgdata="$PGDATA" --checkpoint=fast --wal-method=stream --slot=standby --write-recovery-conf \
    --dbname='host=primary user=replicator application_name=standby sslmode=verify-full sslrootcert=/certificates/authority.crt'; do
    sleep 2
  done
  chmod 700 "$PGDATA"
fi
# Once promoted, it waits for no standby of its own.
exec postgres -c synchronous_standby_names= -c ssl=on \
  -c ssl_cert_file=/certificates/server.crt -c ssl_key_file=/certificates/server.key
