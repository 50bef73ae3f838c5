#!/bin/sh
# Dump the database to a compressed file.
set -eu

: "${BACKUP_DIR:?}" "${DATABASE_URL:?}"

target="$BACKUP_DIR/app-$(date -u +%Y-%m-%d).sql.gz"
partial="$(mktemp "$BACKUP_DIR/.partial.XXXXXX")"
trap 'rm -f "$partial" "$partial.gz"' EXIT

pg_dump --no-owner --file="$partial" "$DATABASE_URL"
gzip "$partial"
mv "$partial.gz" "$target"
echo "wrote $target"
