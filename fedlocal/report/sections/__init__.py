"""The sections of the page that show figures; a section is left out where the runs have nothing for it."""

from fedlocal.report.groups import SettingsComparison
from fedlocal.report.section import Section
from fedlocal.report.sections.learning_curves import learning
from fedlocal.report.sections.measures import quality, speed
from fedlocal.report.sections.partitions import partitions
from fedlocal.report.sections.timelines import timelines

ALL = (quality, learning, speed, partitions, timelines)


def sections(comparison: SettingsComparison) -> list[Section]:
    """Return the sections that have something to show, in the order of the page."""
    return [section for build in ALL if (section := build(comparison))]
