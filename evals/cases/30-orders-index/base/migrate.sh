#!/bin/sh
# Apply the migrations that are missing.
set -eu

: "${DATABASE_URL:?}"
cd "$(dirname "$0")"

run() {
    psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 "$DATABASE_URL" "$@"
}

run -c 'CREATE TABLE IF NOT EXISTS applied (name text PRIMARY KEY)'
for file in migrations/*.sql; do
    name="$(basename "$file" .sql)"
    if [ "$(run -Atc "SELECT count(*) FROM applied WHERE name = '$name'")" = 1 ]; then
        continue
    fi
    echo "applying $name"
    run -f "$file"
    run -c "INSERT INTO applied VALUES ('$name')"
done
