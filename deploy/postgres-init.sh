#!/bin/sh
# One role and one database a service, each with its own password; run once by PostgreSQL's image
# when its volume is empty. A service can neither see nor connect to another's database.
set -eu
for service in accounts content notifications; do
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set service="$service" --set password="$(cat "${SECRETS:-/run/secrets}/$service.password")" <<'SQL'
CREATE ROLE :"service" LOGIN PASSWORD :'password' CONNECTION LIMIT 60;
CREATE DATABASE :"service" OWNER :"service";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
SQL
done
