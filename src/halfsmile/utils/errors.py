"""What may end a command besides a mistake in its input."""


class Interrupted(Exception):  # noqa: N818
    """Training stopped on request, after its state was saved."""
