#!/bin/sh
# Runs once, when the primary's data folder is made: roles, the database, and what the standby needs.
set -eu
secrets=${SECRETS:-/run/secrets}
psql --set=ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --set=replicator="$(cat "$secrets/replicator")" --set=owner="$(cat "$secrets/owner")" \
  --set=bot="$(cat "$secrets/bot")" <<'SQL'
CREATE ROLE replicator REPLICATION LOGIN PASSWORD :'replicator';
CREATE ROLE owner LOGIN PASSWORD :'owner';
CREATE ROLE bot LOGIN PASSWORD :'bot';
CREATE DATABASE trivia OWNER owner;
SELECT pg_create_physical_replication_slot('standby');
-- Counts from the next start on: until then, nothing could be committed without the standby.
ALTER SYSTEM SET synchronous_standby_names = 'standby';
SQL
echo 'hostssl replication replicator all scram-sha-256' >> "$PGDATA/pg_hba.conf"
