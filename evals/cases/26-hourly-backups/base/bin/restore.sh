#!/bin/sh
# Load a backup into an empty database: restore.sh app-2024-05-01.sql.gz
set -eu

: "${BACKUP_DIR:?}" "${DATABASE_URL:?}"

file="$BACKUP_DIR/${1:?which backup?}"
tables="$(psql -Atc "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'" "$DATABASE_URL")"
if [ "$tables" -ne 0 ]; then
    echo "the database is not empty" >&2
    exit 1
fi
plain="$(mktemp)"
trap 'rm -f "$plain"' EXIT
gzip -dc "$file" >"$plain"
psql -v ON_ERROR_STOP=1 --single-transaction --quiet --file="$plain" "$DATABASE_URL"
