"""Texts from clients cannot do anything but be read."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.actors.text import LONGEST, readable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a line\n\tand another", "a line\n\tand another"),
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bc\x1b(Bafter a reset", "after a reset"),
        ("\x1bPdevice\x1b\\", ""),
        ("bell\a, back\b, null\0, delete\x7f", "bell, back, null, delete"),
        ("over\rwritten\r\n", "overwritten\n"),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("half \ud800", "half "),
        ("ünïcödé 漢字 🙂", "ünïcödé 漢字 🙂"),
    ],
)
def test_only_readable_characters_stay(text: str, shown: str) -> None:
    assert readable(text) == shown


def test_the_beginning_and_the_end_of_a_long_text_stay() -> None:
    shown = readable("first " + "x" * 10 * LONGEST + " last")
    assert len(shown) <= LONGEST
    assert shown.startswith("first ")
    assert shown.endswith(" last")
    assert "characters left out" in shown


TRICKY = st.text(st.sampled_from("\x1b\x9b\x9d\x90\x07\\[];0m\n\t\0a\ud800"), max_size=60)


@given(st.text(max_size=50) | TRICKY)
def test_no_text_keeps_a_control_character(text: str) -> None:
    shown = readable(text)
    shown.encode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
    assert readable(shown) == shown


@pytest.mark.parametrize("piece", ["\x1b]", "\x9d", "\x1b[", "\x1b[0;", "\x9b ", "\x1b", "\x1bP\x9d"])
def test_long_texts_take_linear_time(piece: str) -> None:
    """A pattern that looks back and forth takes seconds for them, this one milliseconds."""
    before = time.thread_time()
    shown = readable(piece * LONGEST)
    assert time.thread_time() - before < 0.5
    assert len(shown) <= LONGEST
