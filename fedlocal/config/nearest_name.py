"""The word that somebody may have meant by one that is not known."""

from collections.abc import Iterable


def nearest(word: str, known: Iterable[object], form: str = "{}") -> str:
    """Ask whether another word was meant, written as `form` says; empty where none comes near.

    Examples
    --------
    >>> nearest("actor", ["seed", "actors"]), nearest("colour", ["seed", "actors"])
    ('; did you mean actors?', '')
    """
    from difflib import get_close_matches  # takes as long to load as all else that a command line needs

    near = get_close_matches(word, list(map(str, known)), n=1)
    return f"; did you mean {form.format(near[0])}?" if near else ""
