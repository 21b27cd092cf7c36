"""What prostheses did over a span of time: the queries of both reports."""
