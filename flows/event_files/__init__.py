"""Event files that people bring: what each format says, as the lines that the loader takes.

`event_archive` opens a file of S3 or of the disk and is what the other parts use; `file_name` tells
format and packing; one module a format reads its records; `event_line` checks an event.
"""
