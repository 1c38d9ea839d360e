"""The embedded store: one SQLite file in WAL mode, many processes, one gate."""
