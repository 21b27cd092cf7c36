"""Rows that people put into product tables themselves: read, checked, archived.

`contracts` tells what a table takes; `row_source` opens what a person gave, one module a format
reads it; `values` and `row_checker` check it; `staged_rows` holds what was checked, and `archiving`
puts it into S3.
"""
