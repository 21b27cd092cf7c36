"""Rows of a mart as a person asks for them: `mart` knows its columns, `conditions` filters."""
