"""Histories as data frames, where pandas is installed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fedlocal.results.history import History

if TYPE_CHECKING:
    import pandas as pd


def frame_of(histories: Mapping[str, History]) -> "pd.DataFrame":
    """Return the rows of several histories as one frame, whose first column is the arm.

    Parameters
    ----------
    histories : Mapping[str, History]
        The histories, by the names of their arms.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    frames = [history.to_frame() for history in histories.values()]
    import pandas as pd

    for name, frame in zip(histories, frames, strict=True):
        frame.insert(0, "arm", name)
    return pd.concat(frames, ignore_index=True)
