"""The parts of the page that show figures; each says nothing where the runs have nothing to show."""

from fedlocal.report.groups import Comparison
from fedlocal.report.section import Section
from fedlocal.report.sections.learning_curves import learning
from fedlocal.report.sections.measures import quality, speed
from fedlocal.report.sections.partitions import partitions
from fedlocal.report.sections.timelines import timelines

ALL = (quality, learning, speed, partitions, timelines)


def sections(comparison: Comparison) -> list[Section]:
    """Return the parts that have something to show, in the order of the page."""
    return [found for part in ALL if (found := part(comparison))]
