"""One file per revision, oldest first; a revision that has run somewhere is never edited."""
