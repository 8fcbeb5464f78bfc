"""The page over runs: what they gave and how they compare, from their folders alone.

`run_discovery` and `recorded_run` take runs in; `settings` and `groups` say which of them are repeats of one
another; `comparison_table`, `headline` and `sections` say what there is to say, with drawings of
`fedlocal.figures`; `page` and `templates` lay it out.
"""

from fedlocal.report.report_files import write_report

__all__ = ["write_report"]
