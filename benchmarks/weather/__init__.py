"""Bad weather for the pipeline: a small world, what may happen to it, and what must come of it."""
