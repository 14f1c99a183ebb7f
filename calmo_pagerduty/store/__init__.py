"""The database: tables, queries and encryption at rest. The only package that imports SQLAlchemy."""
