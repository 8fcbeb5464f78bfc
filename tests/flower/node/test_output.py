"""What clients print comes out once, in whole lines, under their names."""

import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from fedlocal.flower.node.output import NamedStream, named_output, without_flower_log


@pytest.fixture
def below() -> StringIO:
    return StringIO()


@pytest.fixture
def stream(below: StringIO) -> Iterator[NamedStream]:
    stream = NamedStream(below, "client 3")
    yield stream
    stream.finish()


def test_a_line_comes_out_when_it_is_complete(stream: NamedStream, below: StringIO) -> None:
    for part in ("one\ntw", "o\n\nthr", "ee"):
        stream.write(part)
    assert below.getvalue() == "client 3: one\nclient 3: two\n"
    stream.finish()
    assert below.getvalue().endswith("client 3: three\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\rb\n", ["b"]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("10 %\r20 %\r", ["20 %"]),
        ("\rhalf\r    \r", []),
        ("\rall\ndone\n", ["all", "done"]),
    ],
)
@pytest.mark.parametrize("pieces", [1, 2, 100])
def test_overwritten_text_is_not_shown(
    stream: NamedStream, below: StringIO, text: str, shown: list[str], pieces: int
) -> None:
    for start in range(0, len(text), -(-len(text) // pieces)):
        stream.write(text[start : start - (-len(text) // pieces)])
    stream.finish()
    assert below.getvalue().splitlines() == [f"client 3: {line}" for line in shown]


def test_a_progress_bar_is_one_line_however_often_it_is_refreshed(
    stream: NamedStream, below: StringIO
) -> None:
    tqdm = pytest.importorskip("tqdm").tqdm
    for _ in tqdm(range(50), file=stream, mininterval=0, miniters=1, desc="epochs"):
        for _ in tqdm(range(3), file=stream, mininterval=0, miniters=1, desc="batches", leave=False):
            pass
    stream.finish()
    (line,) = below.getvalue().splitlines()
    assert line.startswith("client 3: epochs: 100%")


def test_bytes_come_out_as_text(stream: NamedStream, below: StringIO) -> None:
    data = "ä line\n".encode()
    for byte in data:
        stream.buffer.write(bytes([byte]))
    stream.buffer.flush()
    assert below.getvalue() == "client 3: ä line\n"


def test_other_programs_can_write_where_a_client_writes() -> None:
    with tempfile.TemporaryFile("w+") as file:
        command = [sys.executable, "-c", "print('from below')"]
        stream: Any = NamedStream(file, "client 3")
        subprocess.run(command, stdout=stream, check=True)
        file.seek(0)
        assert file.read() == "from below\n"


def test_a_stream_is_like_the_stream_below_it(stream: NamedStream) -> None:
    sys_like = NamedStream(sys.__stdout__, "client 3")  # type: ignore[arg-type]
    assert sys_like.name == sys.__stdout__.name  # type: ignore[union-attr]
    stream.reconfigure(line_buffering=True)
    assert not stream.isatty()


def test_a_client_that_logs_through_the_handler_of_another_client_keeps_its_own_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = logging.getLogger("of an app")
    for client in ("client 3", "client 4"):
        with named_output(client):
            if not logger.handlers:  # as logging.basicConfig does
                logger.addHandler(logging.StreamHandler())
            logger.warning("here is %s", client)
    logger.warning("here is the server")
    logger.handlers.clear()
    expected = ["client 3: here is client 3", "client 4: here is client 4", "here is the server"]
    assert capsys.readouterr().err.splitlines() == expected


def test_flowers_own_information_is_left_out_before_and_after_a_client(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = logging.getLogger("flwr")
    with without_flower_log():
        with named_output("client 3"):
            pass
        before = logger.filters[:]
    assert len(before) == len(logger.filters) + 1
