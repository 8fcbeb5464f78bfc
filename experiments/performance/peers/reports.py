"""What the programs of whole runs are asked, and how they tell the times of their rounds."""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """What a run shall do; the times of its rounds go into the report."""

    workload: str
    clients: int
    rounds: int
    report: Path
    default_resources: bool


def asked() -> Request:
    """Parse the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workload", required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--default-resources", action="store_true")
    return Request(**vars(parser.parse_args()))


class Marks:
    """The moments at which the first round began and each round ended."""

    def __init__(self) -> None:
        self._marks: list[float] = []

    def mark(self) -> None:
        """Say that a round has ended; at first, that the first one begins."""
        self._marks.append(time.perf_counter())

    def write(self, request: Request) -> None:
        """Write the seconds of each round; an error if there are not as many as were asked for."""
        seconds = [end - start for start, end in zip(self._marks, self._marks[1:], strict=False)]
        if len(seconds) != request.rounds:
            raise RuntimeError(f"{len(seconds)} rounds ended, {request.rounds} were asked for")
        request.report.write_text(json.dumps(seconds))
