"""What fedlocal adds to Hydra's language, in Hydra's words."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from fedlocal.cli.arguments import ArgumentsError, translate

ASKED = ["actors=1,2", "model.hidden=[8]"]


def sweep(name: str, task: Sequence[str] = ASKED, hydra: Sequence[str] = ("hydra.mode=MULTIRUN",)) -> Path:
    folder = Path("multirun") / "day" / name
    folder.mkdir(parents=True)
    lines = ["hydra:", "  overrides:", "    hydra:", *(f"    - {override}" for override in hydra)]
    lines += ["    task:", *(f"    - {override}" for override in task)]
    (folder / "multirun.yaml").write_text("\n".join(lines))
    return folder


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_arguments_of_hydra_stay_as_they_are() -> None:
    for line in (["actors=2"], ["-m", "a=1,2"], ["--cfg", "job"], ["-sc", "install=bash"], []):
        assert translate(line).arguments == line


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
def test_quiet_is_a_display_that_is_off(flag: str) -> None:
    assert translate([flag, "actors=2"]).arguments == ["actors=2", "display=off"]


def test_a_run_goes_on_in_its_folder(tmp_path: Path) -> None:
    run = tmp_path / "it's"
    run.mkdir()
    (run / "config.yaml").touch()
    line = translate([f"resume={run}", "workers=2"])
    assert line.resuming == run
    quoted = str(run).replace("'", "\\'")
    assert line.arguments == ["workers=2", f"hydra.run.dir='{quoted}'", "hydra.output_subdir=null"]


def test_a_sweep_goes_on_with_its_own_options(tmp_path: Path) -> None:
    folder = sweep("a", hydra=["hydra.mode=MULTIRUN", "hydra/launcher=joblib", "hydra.sweep.dir=x"])
    line = translate([f"resume={folder}", "workers=2"])
    assert not line.resuming
    assert line.arguments == [
        "-m",
        *ASKED,
        "hydra/launcher=joblib",
        "trust=false",
        "workers=2",
        "sweep.resume=true",
        f"hydra.sweep.dir='{tmp_path / folder}'",
    ]


def test_arguments_that_hydra_resolves_are_repeated_as_they_were(tmp_path: Path) -> None:
    named = "hydra.sweep.subdir=${hydra.job.override_dirname}/${hydra.job.num}"
    folder = sweep("a", [*ASKED, "seed=${rounds}"], [named])
    assert translate([f"resume={folder}"]).arguments[1:5] == [*ASKED, "seed=${rounds}", named]


def test_the_same_command_goes_on_with_the_newest_sweep_that_it_began(tmp_path: Path) -> None:
    folders = [sweep("a"), sweep("b", [*ASKED, "workers=1", "sweep.resume=true"]), sweep("c", ["actors=1,3"])]
    for age, folder in enumerate(folders):
        os.utime(folder / "multirun.yaml", (time.time() + age,) * 2)
    for said in ("sweep.resume=true", "sweep.resume=True", "++sweep.resume=1"):
        line = ["--config-dir", "groups", "-m", *ASKED, "hydra/launcher=joblib", said]
        assert translate(line).arguments == [*line, f"hydra.sweep.dir='{tmp_path / folders[1]}'"]


def test_a_new_sweep_begins_where_no_such_sweep_exists() -> None:
    sweep("a", ["actors=1,3"])
    for line in (["-m", *ASKED, "sweep.resume=true"], ["sweep.resume=true", ""]):
        assert translate(line).arguments == line


def test_another_sweeps_folder_is_refused_before_anything_in_it_changes() -> None:
    folder = sweep("a", ["actors=1,3"])
    with pytest.raises(ArgumentsError, match=r"holds another sweep \(actors=1,3\)"):
        translate(["-m", *ASKED, "sweep.resume=true", f"hydra.sweep.dir={folder}"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (["resume=multirun/day/a", "rounds=2"], "a sweep goes on as it was: rounds=2 cannot be set"),
        (["-m", "resume=multirun/day/a"], "goes with no other flags"),
        (["resume=nowhere"], "nowhere does not exist"),
        (["resume=multirun/day/damaged"], "does not say what its sweep was"),
        (["hydra.run.dir=file/x"], "file is not a folder; set hydra.run.dir"),
    ],
)
def test_an_impossible_command_line_is_refused(line: list[str], reason: str) -> None:
    sweep("a")
    sweep("damaged")
    Path("multirun/day/damaged/multirun.yaml").write_text("hydra: 3")
    Path("file").touch()
    with pytest.raises(ValueError, match=reason):
        translate(line)
