"""The parts of the page that show figures; each says nothing where the runs have nothing to show."""

from fedlocal.results.report.groups import Comparison
from fedlocal.results.report.section import Section
from fedlocal.results.report.sections.learning import learning
from fedlocal.results.report.sections.measures import quality, speed
from fedlocal.results.report.sections.owning import partitions
from fedlocal.results.report.sections.working import timelines

ALL = (quality, learning, speed, partitions, timelines)


def sections(comparison: Comparison) -> list[Section]:
    """Return the parts that have something to show, in the order of the page."""
    return [found for part in ALL if (found := part(comparison))]
