"""The name that somebody may have meant by a mistyped one."""

from collections.abc import Iterable

REMOVED = {
    "transport": "the batch queue shares memory; with copied messages, as in the paper, it is "
    "scheme._target_=experiments.figure1.copied_messages.copied_messages, in a checkout"
}
"""Options of earlier versions, and what to do instead."""


def did_you_mean(word: str, names: Iterable[object], form: str = "{}") -> str:
    """Return a question for a message: the nearest name, written as `form` says; empty where none is near.

    Examples
    --------
    >>> did_you_mean("actor", ["seed", "actors"]), did_you_mean("colour", ["seed", "actors"])
    ('; did you mean actors?', '')
    """
    if word in REMOVED:
        return f"; {REMOVED[word]}"
    from difflib import get_close_matches  # takes as long to load as all else that a command line needs

    near = get_close_matches(word, list(map(str, names)), n=1)
    return f"; did you mean {form.format(near[0])}?" if near else ""
