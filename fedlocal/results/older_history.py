"""The file ``history.json`` of earlier versions, which held the rounds, too: one release more reads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from fedlocal.results.atomic_files import ResultsError, read_json
from fedlocal.results.phases import Phase
from fedlocal.results.rounds import MessageError, Round

OLDER = "history.json"


def read_older(path: Path) -> list[Round]:
    """Read the rounds, all but their `work`.

    Raises
    ------
    ResultsError
        If the file is damaged.
    """
    try:
        return [_round(stored) for stored in read_json(path)["rounds"]]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        msg = f"{path} is damaged ({error}); delete it to read the history from metrics.csv"
        raise ResultsError(msg) from error


def _round(stored: Mapping[str, Any]) -> Round:
    errors = stored["errors"]
    if isinstance(errors, dict):  # of 0.1.0, which kept the last of an actor
        errors = [(actor, "train", reason) for actor, reason in errors.items()]
    return Round(
        int(stored["number"]),
        _floats(stored["seconds"]),
        _floats(stored["metrics"]),
        {int(actor): _floats(measured) for actor, measured in stored["actors"].items()},
        tuple(MessageError(int(actor), cast(Phase, str(phase)), str(why)) for actor, phase, why in errors),
        absent={int(actor): str(how) for actor, how in stored.get("absent", {}).items()},
        trained_rows=stored.get("trained_rows"),
    )


def _floats(values: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in values.items()}
