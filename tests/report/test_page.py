"""The page holds what the runs gave, is well-formed, and takes no run's word for markup."""

import csv
import json
import math
import os
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fedlocal.report import write_report
from fedlocal.results import ResultsError
from fedlocal.results.copies import copy_of
from tests.report.conftest import Trained, unsealed

VOID = {"meta", "wbr"}


class Page(HTMLParser):
    """Reads a page, and fails where its tags are not in each other."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.tags if name in attributes]


def page_of(path: Path) -> Page:
    return Page(path.read_text())


def test_a_sweep_is_one_page_a_table_and_the_data(sweep: Path) -> None:
    path = write_report([sweep], sweep)
    assert path == sweep / "report.html"
    page = page_of(path)
    for words in (
        "best of 2 settings",
        "partition=iid",
        "sequential, 1 thread",
        "ValueError: no luck",
        "still running, or killed before its end",
        "Learning curves",
        "Speed and efficiency",
        "Partitions",
        "Differences between the configurations",
        "fedlocal.partitions.Dirichlet",
        "usable of",
    ):
        assert words in page.text
    with (sweep / "comparison.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert {line["run"] for line in lines} == {str(number) for number in range(7)}
    assert (sweep / "comparison.md").read_text().startswith("| partition | scheme | accuracy |")
    assert not list(sweep.glob(".*.tmp"))


def test_a_single_run_has_no_columns_of_settings(trained: Trained, tmp_path: Path) -> None:
    page = page_of(write_report([trained("partition=iid", "seed=0")], tmp_path))
    assert "federated reached accuracy" in page.text
    assert "Round 1" in page.text  # of its timeline


def test_figures_say_in_words_what_they_show(sweep: Path) -> None:
    page = page_of(write_report([sweep], sweep))
    figures = [
        attributes for tag, attributes in page.tags if tag == "svg" and "aria-hidden" not in attributes
    ]
    assert len(figures) >= 8
    identifiers = page.values("id")
    assert len(set(identifiers)) == len(identifiers)
    for figure in figures:
        assert figure["role"] == "img"
        assert set(str(figure["aria-labelledby"]).split()) <= set(identifiers)
    assert {tag for tag, _ in page.tags} >= {"title", "desc", "figcaption"}


def test_figures_are_small_and_the_same_each_time_and_have_no_colour_that_the_dark_cannot_change(
    sweep: Path,
) -> None:
    content = write_report([sweep], sweep).read_text()
    assert len(content) < 200_000
    assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', content)) <= {
        "none",
        *re.findall(r"var\(--\w+\)", content),
    }
    assert set(re.findall(r'"var\((--\w+)\)"', content)) <= set(re.findall(r"(--\w+): ", content))
    assert write_report([sweep], sweep).read_text() == content


def test_no_run_can_put_markup_on_the_page(nasty: Path) -> None:
    path = write_report([nasty], nasty)
    page = page_of(path)
    assert (
        page.text.count("<script>alert(1)</script>\"'&{{7*7}}") >= 4
    )  # an error, a class, a processor, a setting
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", path.read_text())
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "<script>" not in (nasty / "comparison.md").read_text()


def test_the_page_loads_no_other_file(sweep: Path) -> None:
    path = write_report([sweep], sweep)
    page = page_of(path)
    assert page.values("src") == []
    assert all(link.startswith("#") for link in page.values("href"))
    assert {link[1:] for link in page.values("href")} <= set(page.values("id"))
    content = path.read_text()
    assert "http" not in content.replace("http-equiv", "")
    assert "url(" not in content
    assert "default-src 'none'" in page.values("content")[0]


def test_the_same_runs_give_the_same_page(sweep: Path, tmp_path: Path) -> None:
    first = write_report([sweep], tmp_path).read_bytes()
    assert write_report([sweep], sweep).read_bytes() == first


@pytest.mark.parametrize(
    "name", ["config.yaml", "environment.json", "partition.json", ".metrics.csv.copy", "metrics.csv"]
)
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe\x00", b'{"sizes": 3, "rounds": [{}]}'])
def test_a_damaged_file_takes_its_own_part_of_the_page_alone(
    tmp_path: Path, trained: Trained, name: str, content: bytes
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained("partition=iid", "seed=0"), folder)
    (folder / name).write_bytes(content)
    assert "reached accuracy" in page_of(write_report([folder], tmp_path)).text


def test_a_run_that_was_killed_shows_how_far_it_got(tmp_path: Path, trained: Trained) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained("partition=iid", "seed=0"), folder)
    (folder / "summary.json").unlink()
    text = page_of(write_report([folder], tmp_path)).text
    assert "The run still goes on, or was killed, after round 2." in text
    assert "Learning curves" in text
    assert "killed before its end" in text
    assert "Comparison" not in text


def test_a_run_without_a_partition_file_says_so(sweep: Path) -> None:
    for number in ("0", "1"):
        (sweep / number / "partition.json").unlink()
    assert "1 setting without a partition.json" in page_of(write_report([sweep], sweep)).text


def test_no_page_is_written_where_no_run_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "summary.json").write_text("{")
    with pytest.raises(ResultsError, match=r"no run can be read: .*summary\.json is damaged"):
        write_report([tmp_path / "run"], tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_numbers_that_are_not_finite_break_nothing(tmp_path: Path, trained: Trained) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained("partition=iid", "seed=0"), folder)
    path = folder / "metrics.csv"
    path.write_text(re.sub(r"loss,[0-9.e-]+", "loss,inf", path.read_text()))
    copy_of(path).unlink()
    summary = unsealed(folder / "summary.json")
    (folder / "summary.json").write_text(
        re.sub(r'"(loss|speed_up|seconds)": [0-9.e-]+', rf'"\1": "{math.nan}"', summary)
    )
    assert "reached accuracy" in page_of(write_report([folder], tmp_path)).text


def _in_yaml(addition: str) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        with (run / "config.yaml").open("a") as stream:
            stream.write(addition)

    return damage


def _in_json(name: str, *keys: str | int, value: object) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        stored = json.loads(unsealed(run / name))
        inner = stored
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        (run / name).write_text(json.dumps(stored))

    return damage


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)


def _holding(name: str, text: str) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        (run / name).write_text(text)

    return damage


def _in_place_of(name: str, make: Callable[[Path], None]) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        (run / name).unlink()
        make(run / name)

    return damage


def _in_rows(line: str | None) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        path = run / "metrics.csv"
        copy_of(path).unlink()
        content = path.read_text()
        path.unlink()
        os.mkfifo(path) if line is None else path.write_text(f"{content}{line}\n")

    return damage


LONG = f'"{"x" * 200_000}"'
DAMAGES = {
    "deep JSON": _holding("summary.json", "[" * 100_000 + "]" * 100_000),
    "deep history": _holding("history.json", "[" * 100_000),  # of an earlier version
    "no JSON": _holding("summary.json", "{"),
    "no object": _holding("summary.json", "[]"),
    "a folder": _in_place_of("summary.json", Path.mkdir),
    "a pipe": _in_place_of("summary.json", os.mkfifo),
    "a long time": _in_json("summary.json", "duration", value=10**400),
    "a long number": _holding("summary.json", f'{{"duration": 1{"0" * 9999}}}'),
    "much accuracy": _in_json("summary.json", "arms", 0, "accuracy", value=1e308),
    "a strange seed": _in_yaml(f"\nseed: {'9' * 400}\n"),
    "a strange round": _in_rows(f"{10**400},training,,seconds,1"),
    "strange seconds": _in_rows("0,training,,seconds,[]"),
    "rows that are a pipe": _in_rows(None),
    "strange actors": _in_json("partition.json", "actors", value=10**400),
    "strange overrides": _in_json("summary.json", "overrides", value=7),
    "a strange hash": _in_json("summary.json", "hash", value={"a": []}),
    "strange cores": _in_json("environment.json", "cores", value=10**400),
    "aliases": _in_yaml(BOMB),
    "an alias of itself": _in_yaml("z: &z [*z]\n"),
    "deep YAML": _in_yaml(f"deep: {'[' * 100_000}{']' * 100_000}\n"),
    "no YAML": _in_yaml("\n:::{{\n"),
    "a program": _in_yaml("z: !!python/object/apply:os.system ['true']\n"),
    "a long cell": _in_rows(LONG),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_bad_run_leaves_the_other_runs_their_report(sweep: Path, damage: Callable[[Path], None]) -> None:
    damage(sweep / "1")
    page = page_of(write_report([sweep], sweep))
    assert "partition=dirichlet" in page.text
    with (sweep / "comparison.csv").open(newline="") as stream:
        assert {line["run"] for line in csv.DictReader(stream)} == {str(number) for number in range(7)}


def test_a_partition_among_many_actors_says_how_many_of_them_are_drawn(
    tmp_path: Path, trained: Trained
) -> None:
    run = shutil.copytree(trained("partition=iid", "seed=0"), tmp_path / "run")
    stored = json.loads(unsealed(run / "partition.json"))
    for key in ("shown", "sizes", "counts"):
        stored[key] = stored[key][:1] * 200
    (run / "partition.json").write_text(json.dumps({**stored, "actors": 1000}))
    page = page_of(write_report([run], tmp_path))
    assert "(40 of 1000 actors, at even distances)" in page.text
