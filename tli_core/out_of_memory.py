"""Memory that has run out, on a GPU or not, as a sentence. PyTorch is not imported for it."""

from tli_core.i18n import N_, translate

SENTENCE = N_(
    "The memory of this machine is full: take fewer pairs, a smaller batch or an earlier layer, and try again."
)


def memory_sentence(error: BaseException) -> str | None:
    """What to say of an error where memory has run out; None of any other."""
    full = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return translate(SENTENCE) if full else None
