"""What may end a command besides a mistake in its input."""


class StopRequestedError(Exception):
    """Training stopped on request, after its state was saved."""


def in_words(error: Exception) -> str:
    """What went wrong with a source, for its row; errors of our own are sentences already.

    Example:
        >>> in_words(ValueError("Found no pixels.")), in_words(KeyError("x"))
        ('Found no pixels.', "it can't be processed (KeyError: 'x')")
    """
    if isinstance(error, OSError):
        return f"it can't be read ({error.strerror or error})"
    if type(error) is ValueError or type(error).__module__.partition(".")[0] == "halfsmile":
        return str(error)
    return f"it can't be processed ({type(error).__name__}: {error})"
