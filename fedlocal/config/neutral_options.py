"""Options at the top of a configuration that change nothing in the results of a run."""

MONITORING = ("tracker", "display", "report", "figures", "trust")
"""Options for watching and reading a run; a tracker's may hold a password."""

SWEEP_ONLY = ("sweep", "objective", "overwrite")
"""Options about the other runs of a sweep, or for other programs."""

NEUTRAL = (*MONITORING, *SWEEP_ONLY)

CHANGEABLE = ("workers", "backend", *MONITORING)
"""Options that may change when a run is resumed: its results stay the same."""


def is_neutral(key: str) -> bool:
    """Tell whether an override, or an option by its dotted key, changes nothing in the results of a run."""
    return key.lstrip("+~").partition("=")[0].partition(".")[0] in NEUTRAL
