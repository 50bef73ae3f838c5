#!/bin/sh
# Delete all but the newest backups. The names sort by age.
set -eu

: "${BACKUP_DIR:?}"
keep="${KEEP:-14}"

find "$BACKUP_DIR" -maxdepth 1 -type f -name 'app-*.sql.gz' |
    LC_ALL=C sort -r |
    tail -n "+$((keep + 1))" |
    while IFS= read -r file; do
        echo "deleting $file"
        rm -- "$file"
    done
