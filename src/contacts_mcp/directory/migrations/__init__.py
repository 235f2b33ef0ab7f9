"""Migrations from older schemas: alembic's environment and one script for each revision.

A new database is created from the tables in `database._schema` and marked with the current revision; only an older one
runs scripts. The index is derived again after them, so a script need not fill derived tables.
"""
