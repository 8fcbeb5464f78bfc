"""Text from workers, made fit for logs and terminals."""

MAX_TEXT = 20_000


def printable(text: str, limit: int = MAX_TEXT) -> str:
    """Return text without control characters, which could forge log lines or drive a terminal.

    Parameters
    ----------
    text : str
        From whoever; line breaks and tabs stay.
    limit : int
        Characters that are kept of it: the last ones, which of a traceback say most.
    """
    kept = text[-limit:]
    if kept.isprintable():
        return kept
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in kept)
