"""What README, guides and `--help` tell is so: commands are valid, examples run, links lead somewhere."""

import doctest
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fedlocal import __version__
from fedlocal.config.compose import compose, conf_folder
from fedlocal.config.validation import check
from tests.pages import (
    EXTENDING,
    GUIDES,
    HELP,
    README,
    ROOT,
    STUDIES,
    STUDY_PAGES,
    blocks,
    commands,
    files,
    overrides,
)

TAUGHT = sorted({command for page in [HELP, *GUIDES] for command in commands(page) if overrides(command)})
DOCTESTS = [page for page in GUIDES if ">>>" in page.read_text()]


@pytest.mark.parametrize("command", TAUGHT)
def test_every_command_that_is_taught_is_valid(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shortest = EXTENDING.read_text().partition("## The shortest")[2].partition("\n## ")[0]
    (tmp_path / "mine.py").write_text(files(shortest)["mine.py"])
    monkeypatch.syspath_prepend(tmp_path)
    if "flwr_datasets" in command:
        pytest.importorskip("flwr_datasets", reason="extras: pip install -e '.[hf]'")
    check(compose(*overrides(command)))


def test_the_documents_teach_many_commands() -> None:
    assert len(TAUGHT) > 50
    assert len(commands(HELP)) > 10
    assert len(commands(README)) > 15


def test_the_readme_starts_with_the_two_commands_that_do_everything() -> None:
    start = "python3 -m venv .venv && .venv/bin/pip install -e "
    assert blocks(README, "sh")[:2] == [
        f"{start}. && .venv/bin/fedlocal\n",
        f"{start}'.[test]' && .venv/bin/pytest -n auto\n",
    ]


@pytest.mark.parametrize("page", DOCTESTS, ids=lambda page: page.name)
def test_sessions_print_the_output_that_is_shown(page: Path) -> None:
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried > 3
    assert not failed


def test_the_readme_names_every_group() -> None:
    assert _names_in_list(README, "Groups") == {
        path.name for path in conf_folder().iterdir() if path.is_dir() and path.name != "hydra"
    }


def test_the_page_on_schemes_names_every_strategy() -> None:
    strategies = {path.stem for path in (conf_folder() / "strategy").glob("*.yaml")}
    assert _names_in_list(ROOT / "docs" / "schemes.md", "Strategies") == strategies


def test_the_readme_is_short() -> None:
    assert len(README.read_text().split()) <= 900


def test_the_readme_links_to_every_guide_and_the_table_of_studies_to_every_study() -> None:
    linked = {(README.parent / link.partition("#")[0]).resolve() for link in _links(README.read_text())}
    assert {page.resolve() for page in GUIDES} <= linked | {README.resolve()}
    studies = {link for link in _links(STUDIES.read_text()) if link.endswith("README.md")}
    assert {f"{page.parent.name}/README.md" for page in STUDY_PAGES} <= studies


@pytest.mark.parametrize(
    ("page", "group"),
    [("data.md", "dataset"), ("data.md", "partition"), ("schemes.md", "scheme"), ("schemes.md", "backend")],
)
def test_a_page_has_a_line_for_every_option_of_its_groups(page: str, group: str) -> None:
    table = (ROOT / "docs" / page).read_text().partition(f"| `{group}=` |")[2].partition("\n\n")[0]
    named = {name for row in table.split("\n") for name in re.findall(r"`(\w+)`", row.partition(" | ")[0])}
    assert named == {path.stem for path in (conf_folder() / group).glob("*.yaml")}


def test_the_citation_is_of_this_version() -> None:
    citation: Any = OmegaConf.load(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()  # what the format asks for
    assert str(citation["version"]) == __version__
    assert "Modelo de Atores" in citation["references"][0]["title"]


def test_the_figure_has_a_description_in_words() -> None:
    (description,) = re.findall(r'<img [^>]*alt="([^"]*)"', README.read_text())
    assert len(description) > 100


@pytest.mark.parametrize(
    "page", [*GUIDES, ROOT / "CHANGELOG.md", *STUDY_PAGES], ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for link in _links(page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in set(_anchors(target.read_text())), link


@pytest.mark.parametrize("page", [*GUIDES, *STUDY_PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_names_and_paths_of_the_package_on_a_page_exist(page: Path) -> None:
    text = page.read_text().replace("fedlocal.partitions.Stripes", "")  # the guide has people add it
    for path in re.findall(r"(?<![\w.-])fedlocal/[\w./]*\w", text):
        assert (ROOT / path).exists(), path
    for name in set(re.findall(r"(?<![\w/.-])fedlocal(?:\.[a-zA-Z]\w*)+", text)):
        try:
            pkgutil.resolve_name(name)
        except ModuleNotFoundError as error:  # of an extra that is not installed
            if str(error.name).startswith("fedlocal"):
                raise


def _names_in_list(page: Path, title: str) -> set[str]:
    """Return the names in the sentence of a page that begins with a title and a colon."""
    (sentence,) = re.findall(rf"^{title}: (.*?)\.$", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`(\w+)`", sentence))


def _links(text: str) -> list[str]:
    """Return what a page links to within the repository."""
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r'(?:src|srcset|href)="([^"]+)"', prose)
    return [link for link in links if not re.match(r"https?:|mailto:", link)]


def _anchors(text: str) -> Iterator[str]:
    """Make the anchors of headings as GitHub does; every further one of a name has a number."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    seen: dict[str, int] = {}
    for title in re.findall(r"^#+ (.*)$", prose, flags=re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        yield f"{anchor}-{seen[anchor]}" if anchor in seen else anchor
        seen[anchor] = seen.get(anchor, 0) + 1
