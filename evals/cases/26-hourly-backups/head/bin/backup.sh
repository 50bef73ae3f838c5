#!/bin/sh
# Dump the database to a compressed file: backup.sh [daily|hourly]
set -eu

: "${BACKUP_DIR:?}" "${DATABASE_URL:?}"

case "${1:-daily}" in
hourly) target="$BACKUP_DIR/app-hourly-$(date -u +%H).sql.gz" ;;
daily) target="$BACKUP_DIR/app-$(date -u +%Y-%m-%d).sql.gz" ;;
*)
    echo "usage: backup.sh [daily|hourly]" >&2
    exit 2
    ;;
esac
partial="$(mktemp "$BACKUP_DIR/.partial.XXXXXX")"
trap 'rm -f "$partial" "$partial.gz"' EXIT

pg_dump --no-owner --file="$partial" "$DATABASE_URL"
gzip "$partial"
mv "$partial.gz" "$target"
echo "wrote $target"
