"""Timelines: when which worker computed in a round."""

from fedlocal.figures.timeline import MOST_WORKERS, STATES, representative_rounds, round_drawing
from fedlocal.report.groups import SettingsComparison
from fedlocal.report.number_format import counted
from fedlocal.report.section import LegendEntry, PageFigure, Section
from fedlocal.report.sections.selection import best, left_out
from fedlocal.results.formatting import duration, share
from fedlocal.results.occupancy import Occupancy

MOST = 6
LEGEND = tuple(LegendEntry(colour, state) for state, colour in STATES.items())


def timelines(comparison: SettingsComparison) -> Section | None:
    """Draw the round of median length of a run of each of the best settings; of a single one three rounds."""
    groups = best(comparison, MOST)
    chosen = [(group.label, representative_rounds(group.done[0].whole_history.rounds)) for group in groups]
    if len(groups) == 1:
        drawn = [_figure("", occupancy) for _, rounds in chosen for occupancy in rounds]
        intro = "The first round, the one of median length and the last. Each line is a worker."
    else:
        drawn = [_figure(label, rounds[len(rounds) // 2]) for label, rounds in chosen if rounds]
        intro = "The round of median length of a run. Each line is a worker."
    if not drawn:
        return None
    intro += " Coordination is dispatch, collection and aggregation."
    return Section("timelines", "Timelines", intro, tuple(drawn), LEGEND, left_out(comparison, MOST))


def _figure(label: str, occupancy: Occupancy) -> PageFigure:
    usage, workers = occupancy.usage, len(occupancy.workers)
    title = f"{label}: round {occupancy.number}" if label else f"Round {occupancy.number}"
    title += f", {duration(occupancy.span)}, efficiency {share(usage.efficiency)}"
    title += f" ({MOST_WORKERS} of {workers} workers)" if workers > MOST_WORKERS else ""
    words = (
        f"{counted(workers, 'worker')}; efficiency {share(usage.efficiency)}, "
        f"coordination {share(usage.coordination_share)}, critical path {duration(usage.path)}."
    )
    return PageFigure(title, words, round_drawing(occupancy))
