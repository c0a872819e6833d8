#!/bin/sh
# Run once by the PostgreSQL image, on an empty volume: make the database `veilleuse` and a role of the same name that
# owns it and nothing else. The superuser loses its password, so it can be used only inside the container.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$STORE_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE veilleuse LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';
CREATE DATABASE veilleuse OWNER veilleuse ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE veilleuse, postgres FROM PUBLIC;
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
