#!/bin/sh
# Create our own user and database beside Temporal's. PostgreSQL runs this once, when it creates its data folder.
set -eu
psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
  --set password="$CALMO_DB_PASSWORD" <<'SQL'
CREATE ROLE calmo LOGIN PASSWORD :'password';
CREATE DATABASE calmo OWNER calmo;
SQL
