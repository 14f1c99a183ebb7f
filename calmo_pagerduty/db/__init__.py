"""The database: SQLite or PostgreSQL, its tables, migrations, encryption and leases."""
