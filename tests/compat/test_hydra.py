"""Hydra's private names that fedlocal needs, each with what depends on it."""

from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra

from fedlocal.compat.hydra import group_options, is_glob, outside_any_job, parse_overrides
from tests.compat.private_names import PrivateName


def _parses() -> bool:
    swept, added, removed = parse_overrides(["a.b=1,2", "+c=x", "~d"])
    return (
        (swept.key_or_group, swept.input_line, swept.get_key_element()) == ("a.b", "a.b=1,2", "a.b")
        and swept.is_sweep_override()
        and swept.is_discrete_sweep()
        and list(swept.sweep_string_iterator()) == ["1", "2"]
        and [added.get_key_element(), removed.get_key_element()] == ["+c", "~d"]
        and not added.is_sweep_override()
    )


def _knows_globs() -> bool:
    return [is_glob(override) for override in parse_overrides(["a=glob(*)", "a=1,2", "a=1"])] == [
        True,
        False,
        False,
    ]


def _hides_a_job(groups: Path) -> bool:
    with hydra.initialize_config_dir(str(groups), version_base="1.3"):
        job = GlobalHydra.instance().hydra
        with outside_any_job():
            outside = not GlobalHydra.instance().is_initialized()
        return outside and GlobalHydra.instance().hydra is job


def _lists_groups(groups: Path) -> bool:
    with hydra.initialize_config_dir(str(groups), version_base="1.3"):
        return (group_options("colour"), group_options("absent")) == (["blue", "red"], [])


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    """Return a folder with one group of two options."""
    (tmp_path / "colour").mkdir()
    for name in ("red", "blue"):
        (tmp_path / "colour" / f"{name}.yaml").write_text("shade: 1\n")
    return tmp_path


def _names(groups: Path) -> list[PrivateName]:
    return [
        PrivateName(
            "hydra.core.override_parser.overrides_parser.OverridesParser",
            _parses,
            "which runs a sweep has, and what a resumed run changes (fedlocal.experiment.run)",
        ),
        PrivateName(
            "hydra.core.override_parser.types.ValueType.GLOB_CHOICE_SWEEP",
            _knows_globs,
            "the progress bar of a sweep (fedlocal.experiment.run)",
        ),
        PrivateName(
            "hydra.core.global_hydra.GlobalHydra.hydra",
            lambda: _hides_a_job(groups),
            "composing within a run that the command line started (fedlocal.config.compose)",
        ),
        PrivateName(
            "hydra.core.global_hydra.GlobalHydra.config_loader",
            lambda: _lists_groups(groups),
            "telling a group of presets from a mistyped option of a sweep (fedlocal.cli.main.jobs)",
        ),
    ]


@pytest.mark.parametrize(
    "number", range(len(_names(Path()))), ids=[private.name for private in _names(Path())]
)
def test_a_private_name_of_hydra_is_as_before(groups: Path, number: int) -> None:
    _names(groups)[number].check(f"Hydra {hydra.__version__}")
