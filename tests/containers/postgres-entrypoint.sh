#!/bin/bash
# What `golive` needs of the official image's entry point: a data folder when there is none, with a password for TCP.
set -eu
[ "${1:-postgres}" = postgres ] || [ "${1#-}" != "$1" ] || exec "$@"
[ "${1:-}" != postgres ] || shift
: "${POSTGRES_PASSWORD:?POSTGRES_PASSWORD must be set}"
as_postgres() { setpriv --reuid=999 --regid=999 --clear-groups "$@"; }
mkdir -p "$PGDATA" /tmp
chown 999:999 "$PGDATA"
chmod 700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" > "$PGDATA.password")
  chown 999:999 "$PGDATA.password"
  as_postgres initdb -D "$PGDATA" -U postgres --pwfile="$PGDATA.password" --auth=scram-sha-256 --encoding=UTF8 --no-locale > /dev/null
  rm "$PGDATA.password"
  printf 'host all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
fi
exec setpriv --reuid=999 --regid=999 --clear-groups postgres -D "$PGDATA" -h '*' -k /tmp "$@"
