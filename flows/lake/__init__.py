"""The S3 side: one bucket, object keys, weekly archives."""
