"""A second copy of a growing file with a checksum for each line: it shows damage, and replaces the file.

The copy of ``metrics.csv`` is ``.metrics.csv.copy`` beside it. Its lines are those of the file, each behind
the eight digits of its CRC-32 and a space. A run that is killed leaves one of them longer than the other, or
its last line torn; where they differ otherwise, or a checksum is wrong, bits have changed since.
"""

import logging
from pathlib import Path
from zlib import crc32

from fedlocal.results.atomic_files import ResultsError

logger = logging.getLogger(__name__)

DIGITS = 8


def copy_of(path: Path) -> Path:
    """Return where the second copy of a file lies."""
    return path.with_name(f".{path.name}.copy")


def with_checksums(text: str) -> str:
    """Return whole lines as the copy has them."""
    return "".join([f"{crc32(line.encode()):08x} {line}\n" for line in text.split("\n")[:-1]])


def sound_text(path: Path) -> tuple[str, str | None]:
    """Return a file's lines, of which the last may be torn, and its damage, if the copy was read instead.

    Raises
    ------
    ResultsError
        If both are damaged, or there is neither.
    """
    copied = _copied(path)
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise OSError("it is not a file")  # noqa: TRY301
        content = path.read_bytes()
    except OSError as error:
        if copied is None:
            raise ResultsError(f"cannot read {path}: {error.strerror or error}") from error
        return _text(path, copied), f"it cannot be read ({error.strerror or error})"
    if copied is None:
        return _text(path, content), None
    whole, copied_whole = (some[: some.rfind(b"\n") + 1] for some in (content, copied))
    both = min(len(whole), len(copied_whole))
    if whole[:both] != copied_whole[:both]:
        pairs = zip(whole.split(b"\n"), copied_whole.split(b"\n"), strict=False)
        line = next(number for number, (line, copy) in enumerate(pairs, 1) if line != copy)
        return _text(path, copied), f"line {line} has changed since it was written"
    return _text(path, copied if len(copied_whole) > len(whole) else content), None


def _copied(path: Path) -> bytes | None:
    """Return what the copy holds, its last line perhaps torn; None if there is none, or it is damaged."""
    try:
        *lines, torn = copy_of(path).read_bytes().split(b"\n")
    except OSError:
        return None
    if any(line[: DIGITS + 1] != b"%08x " % crc32(line[DIGITS + 1 :]) for line in lines):
        logger.warning("%s is damaged, and is not read", copy_of(path))
        return None
    return b"\n".join(line[DIGITS + 1 :] for line in (*lines, torn))


def _text(path: Path, content: bytes) -> str:
    whole, end, torn = content.rpartition(b"\n")
    try:
        return (whole + end).decode() + torn.decode(errors="replace")
    except UnicodeDecodeError as error:
        raise ResultsError(f"{path} is damaged: {error}") from error
