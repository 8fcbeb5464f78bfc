"""Hydra's private names: its parser of overrides, and the job that it runs now."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType


def parse_overrides(overrides: Sequence[str]) -> list[Override]:
    """Parse overrides as the command line does.

    It relies on ``OverridesParser`` and on the attributes of an ``Override``. Without them it would be
    unknown which runs a sweep has, and which options a resumed run is to change.
    """
    return OverridesParser.create().parse_overrides(list(overrides))


def is_glob(override: Override) -> bool:
    """Tell whether an override chooses by ``glob(...)``: only Hydra's sweeper knows how many runs that makes.

    It relies on ``ValueType.GLOB_CHOICE_SWEEP``. Without it a sweep's progress bar would count wrongly.
    """
    return override.value_type is ValueType.GLOB_CHOICE_SWEEP


@contextmanager
def outside_any_job() -> Iterator[None]:
    """Let something else be composed in the block, also from within a job.

    It relies on the attribute ``hydra`` of ``GlobalHydra``. Without it ``compose`` could not be called in a
    run that the command line has started, and not in a sweep.
    """
    state = GlobalHydra.instance()
    around, state.hydra = state.hydra, None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = around


def group_options(group: str) -> list[str]:
    """Return the presets of a group of the job that is composed now, none if there is no such group.

    It relies on ``GlobalHydra.config_loader``. Without it ``+experiment=…``, which adds a group, could not be
    told from a mistyped option.
    """
    return GlobalHydra.instance().config_loader().get_group_options(group)
