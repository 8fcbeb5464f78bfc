"""The page: the contents of the report, put into its template.

All of it goes through the template's escaping, and figures escape what they hold themselves. A policy in the
page lets its own style sheet and script work and nothing else: neither what a run may have smuggled in, nor
anything remote.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from fedlocal.figures.canvas import BACKGROUND, BASELINE, COLOURS, INK, MUTED, PAPER, RULE, clean
from fedlocal.figures.partitions import HEAT, NONE, SIZE
from fedlocal.figures.svg import svg
from fedlocal.figures.timeline import COORDINATION, IDLE
from fedlocal.report.common_settings import environments, requested_settings
from fedlocal.report.groups import SettingsComparison
from fedlocal.report.headline import answer
from fedlocal.report.number_format import counted
from fedlocal.report.problems import problems
from fedlocal.report.recorded_run import RecordedRun
from fedlocal.report.sections import sections
from fedlocal.report.tables import ReportTable
from fedlocal.results.formatting import duration, fixed

PAINT = {
    colour.lower(): f"var(--{variable})"
    for variable, colour in {
        **{f"s{index}": colour for index, colour in enumerate(COLOURS)},
        "ink": INK, "muted": MUTED, "rule": RULE, "page": PAPER, "base": BASELINE["color"],
        "other": BACKGROUND["color"], "heat": HEAT, "none": NONE, "size": SIZE,
        "coordination": COORDINATION, "waiting": IDLE,
    }.items()
}  # fmt: skip
"""The variables of the style sheet, which change in the dark, by the colours on paper."""


def page(comparison: SettingsComparison, table: ReportTable, runs: Sequence[RecordedRun]) -> str:
    """Return the page as HTML; the runs are listed in the order in which they come."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    room = files("fedlocal.report") / "templates"
    text = {name: (room / name).read_text("utf-8") for name in ("page.html.j2", "page.css", "page.js")}
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: (
            value if isinstance(value, Markup) or not isinstance(value, str) else clean(value)
        ),
    )
    style, script = text["page.css"], text["page.js"]
    return environment.from_string(text["page.html.j2"]).render(
        **_contents(comparison, table, runs),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'",
        markup=lambda figure, name: Markup(  # noqa: S704 - it escapes what it holds
            svg(figure.drawing, name, figure.title, figure.description, PAINT)
        ),
        paint=PAINT,
    )


def _contents(
    comparison: SettingsComparison, table: ReportTable, runs: Sequence[RecordedRun]
) -> Mapping[str, Any]:
    labels = {run.name: group.label for group in comparison.groups for run in group.runs if run.config}
    return {
        "title": _title(comparison),
        "answer": answer(comparison),
        "table": table,
        "sections": sections(comparison),
        "problems": problems(runs),
        "requested": requested_settings(runs),
        "runs": [_line(comparison, run, labels.get(run.name, "")) for run in runs],
        "environments": environments(runs),
        "count": len(runs),
        "compared": bool(comparison.done),
        "quality": comparison.quality,
    }


def _title(comparison: SettingsComparison) -> str:
    runs = comparison.runs
    if len(runs) == 1:
        return f"Run {runs[0].name}"
    return f"{counted(len(comparison.groups), 'setting')}, {counted(len(runs), 'run')}"


def _line(comparison: SettingsComparison, run: RecordedRun, label: str) -> Mapping[str, Any]:
    arm = run.main
    value = comparison.value(arm) if arm else None
    return {
        "name": run.name,
        "setting": label,
        "seed": run.seed,
        "status": run.row.status,
        "quality": (fixed(value), value),
        "duration": (duration(run.row.duration), run.row.duration),
        "hash": str(run.row.hash or ""),
    }


def _digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
