"""What a terminal shows of a run: tables, progress, verdicts. Nothing here knows how a run is made."""
