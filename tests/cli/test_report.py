import subprocess
import sys
from pathlib import Path

import pytest

from fedlocal.cli.report import main


def test_the_page_lies_in_the_only_folder(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(sweep)]) == 0
    assert capsys.readouterr().out.strip() == str(sweep / "report.html")


def test_the_page_of_several_folders_lies_here_or_in_the_given_folder(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    folders = [str(sweep / "0"), str(sweep / "1")]
    assert main(folders) == 0
    assert main([*folders, f"out={there}"]) == 0
    assert (here / "report.html").is_file()
    assert (there / "comparison.csv").is_file()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "FOLDER… is missing; fedlocal report --help"),
        ("gone", "gone: there is no such folder"),
        (".", "there is no run in it"),
        (". --out=gone", "--out=gone: expected FOLDER…, out=…; write out=…"),
        (". out=. out=.", "out is given twice"),
        ("--all", "--all: expected FOLDER"),
        ("ot=there", "ot=there: expected FOLDER…, out=…; did you mean out=…?"),
        (". out=gone", "out=gone: there is no such folder"),
        (". out=", "out=: expected FOLDER…, out=…"),
    ],
)
def test_nonsense_is_refused_in_one_line(
    line: str,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(line.split()) == 1
    said = capsys.readouterr()
    assert reason in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not list(tmp_path.iterdir())


def test_the_help_names_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "out=" in capsys.readouterr().out


def test_results_load_nothing_that_only_a_report_needs() -> None:
    rooms = "fedlocal.results, fedlocal.figures, fedlocal.report"
    heavy = "{'jinja2', 'yaml', 'matplotlib', 'scipy'}"
    program = f"import sys, {rooms}; print(*{heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"\n"
