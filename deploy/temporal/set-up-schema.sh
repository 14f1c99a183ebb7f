#!/bin/sh
# Create or update the schemas of Temporal's two databases. It is safe to run this again.
set -eu
for database in temporal temporal_visibility; do
  versions=${database#temporal_}
  tool="temporal-sql-tool --plugin postgres12 --endpoint postgresql --port 5432 --user temporal --database $database"
  $tool create
  $tool setup-schema --version 0.0
  $tool update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$versions/versioned"
done
