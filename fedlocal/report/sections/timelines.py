"""Timelines: when which worker computed in a round."""

from fedlocal.figures.timeline import representative
from fedlocal.report.groups import Comparison
from fedlocal.report.number_format import counted
from fedlocal.report.section import Section
from fedlocal.report.sections.selection import STATES, best, left_out
from fedlocal.report.svg.element import Figure
from fedlocal.report.svg.timeline import MOST_WORKERS, timeline
from fedlocal.results.formatting import duration, share
from fedlocal.results.occupancy import Occupancy

MOST = 6


def timelines(comparison: Comparison) -> Section | None:
    """Draw the round of median length of a run of each of the best settings; of a single one three rounds."""
    groups = best(comparison, MOST)
    known = [(group.label, representative(group.done[0].whole_history.rounds)) for group in groups]
    if len(groups) == 1:
        drawn = [_figure("", one) for _, rounds in known for one in rounds]
        intro = "The first round, the one of median length and the last. Each line is a worker."
    else:
        drawn = [_figure(label, rounds[len(rounds) // 2]) for label, rounds in known if rounds]
        intro = "The round of median length of a run. Each line is a worker."
    if not drawn:
        return None
    legend = tuple((f"p{state}", name) for state, name in enumerate(STATES))
    return Section("timelines", "Timelines", intro, tuple(drawn), legend, left_out(comparison, MOST))


def _figure(label: str, one: Occupancy) -> Figure:
    used = one.usage
    title = f"{label}: round {one.number}" if label else f"Round {one.number}"
    title += f", {duration(one.span)}, efficiency {share(used.efficiency)}"
    more = len(one.workers) - MOST_WORKERS
    title += f" ({MOST_WORKERS} of {len(one.workers)} workers)" if more > 0 else ""
    words = (
        f"{counted(len(one.workers), 'worker')}; efficiency {share(used.efficiency)}, "
        f"coordination {share(used.coordination_share)}, critical path {duration(used.path)}."
    )
    return timeline(one, title, words)
