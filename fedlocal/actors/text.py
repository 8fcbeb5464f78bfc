"""Texts from workers, made fit for logs, terminals and pages."""

import re

LONGEST = 20_000  # characters of one text

# What terminals obey: control sequences, strings such as a window's title, and shorter escapes.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# Other control characters, what reverses the direction of writing, and halves of characters.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def readable(text: str) -> str:
    r"""Return a text that does nothing but say something: short, and without control characters.

    Newlines and tabs stay. Of a text longer than `LONGEST`, the beginning and the end are kept.

    Examples
    --------
    >>> readable("\x1b[2J\x1b]0;title\x07loss is \x00nan\r\n\tat step 3")
    'loss is nan\n\tat step 3'
    """
    if len(text) > LONGEST:
        kept = LONGEST // 2 - 50
        text = f"{text[:kept]}\n[{len(text) - 2 * kept} characters left out]\n{text[-kept:]}"
    return _CONTROLS.sub("", _ESCAPES.sub("", text))
