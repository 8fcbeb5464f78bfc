"""Options at the top of a configuration that change nothing in what a run gives."""

WATCHING = ("tracker", "display", "report", "trust")
"""How a run is watched and read; a tracker's options may hold a password."""

OF_OTHERS = ("sweep", "objective", "overwrite")
"""What is about other runs, or for other programs."""

NO_SETTINGS = (*WATCHING, *OF_OTHERS)

CHANGEABLE = ("workers", "backend", *WATCHING)
"""What may be another when a run goes on: it gives the same all the same."""
