"""One run of fedlocal in a process of its own, which reports what it left open.

Its arguments are ``FOLDER OVERRIDE…``: it runs into FOLDER, a new one, and writes ``report.json`` there.
"""

import sys
import threading
from pathlib import Path

import fedlocal
from fedlocal.results import write_json


def main() -> int:
    folder, overrides = Path(sys.argv[1]), sys.argv[2:]
    fedlocal.run(fedlocal.compose(*overrides, "rounds=1"))  # what a process opens once, it has open now
    before = open_things()
    folder.mkdir()
    run = fedlocal.run(fedlocal.compose(*overrides), folder, overrides)
    report = {"hash": run.hashes["federated"], "before": before, "after": open_things()}
    write_json(folder / "report.json", report)
    return 0


def open_things() -> dict[str, int]:
    """Count the open files and the threads of this process."""
    return {"fds": len(list(Path("/proc/self/fd").iterdir())), "threads": threading.active_count()}


if __name__ == "__main__":
    sys.exit(main())
