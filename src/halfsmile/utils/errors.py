"""What may end a command besides a mistake in its input."""


class StopRequestedError(Exception):
    """Training stopped on request, after its state was saved."""
