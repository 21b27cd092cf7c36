"""Everything embedded: PostgreSQL, S3, simulators, sample data. Runs on 127.0.0.1 only."""
