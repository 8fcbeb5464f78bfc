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
    """Return the text of a file, from its copy where the file is damaged, and what is wrong with it.

    Parameters
    ----------
    path : Path
        The file, not its copy.

    Returns
    -------
    str, str or None
        The file's lines, of which the last may be torn; and the damage, if the copy was read instead.

    Raises
    ------
    ResultsError
        If both are damaged, or there is neither.
    """
    copied = _copied(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        if copied is None:
            raise ResultsError(f"cannot read {path}: {error.strerror or error}") from error
        return copied, f"it cannot be read ({error.strerror or error})"
    whole = content.rpartition(b"\n")[0].split(b"\n")
    if copied is None:
        return _decoded(path, content), None
    copied_lines = copied.encode().rpartition(b"\n")[0].split(b"\n")
    both = min(len(whole), len(copied_lines))
    at = next((at for at in range(both) if whole[at] != copied_lines[at]), None)
    if at is not None:
        return copied, f"line {at + 1} has changed since it was written"
    return (copied if len(copied_lines) > len(whole) else _decoded(path, content)), None


def _copied(path: Path) -> str | None:
    """Return what the copy holds, its last line perhaps torn; None if there is none, or it is damaged."""
    try:
        content = copy_of(path).read_bytes()
    except OSError:
        return None
    *lines, torn = content.split(b"\n")
    try:
        pairs = [(line[:DIGITS].decode(), line[DIGITS + 1 :].decode()) for line in lines]
    except UnicodeDecodeError:
        pairs = [("", "")]
    if any(f"{crc32(line.encode()):08x}" != checksum for checksum, line in pairs):
        logger.warning("%s is damaged, and is not read", copy_of(path))
        return None
    return "".join(f"{line}\n" for _, line in pairs) + torn[DIGITS + 1 :].decode(errors="replace")


def _decoded(path: Path, content: bytes) -> str:
    whole, end, torn = content.rpartition(b"\n")
    try:
        return (whole + end).decode() + torn.decode(errors="replace")
    except UnicodeDecodeError as error:
        raise ResultsError(f"{path} is damaged: {error}") from error
