"""Training methods: one idea, one file, each a task with ``step(batch, generator)``."""
