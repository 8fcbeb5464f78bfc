"""What a run left behind, for whoever called for it: its lines, histories, hashes and models."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike, NDArray

from fedlocal.display.frames import frame_of
from fedlocal.figures.notebook import run_html, run_text
from fedlocal.inference.model_spec import ModelSpec
from fedlocal.inference.predictor import Predictor
from fedlocal.results import Arm, History, ResultsError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Run:
    """What a run left behind.

    Parameters
    ----------
    folder : Path or None
        Where its files lie.
    arms : list of Arm
        The lines of the final table, the scheme's first.
    histories, hashes : dict of str to History, dict of str to str
        The rounds of each arm, and the hash of its final weights.
    models : dict of str to dict
        The final arrays: ``{"model": …}``, or one entry per actor for ``scheme=local``.
    spec : ModelSpec or None
        What must be known to use them; None of a run that an earlier fedlocal saved.
    """

    folder: Path | None
    arms: list[Arm]
    histories: dict[str, History]
    hashes: dict[str, str]
    models: dict[str, Any]
    spec: ModelSpec | None = None

    def predict(
        self, x: ArrayLike, model: str | None = None, *, workers: int | Literal["auto"] = "auto"
    ) -> NDArray[Any]:
        """Have a final model answer for raw rows; `fedlocal.load_model` offers more.

        Parameters
        ----------
        x : array-like of numbers, shape (n, d) or (n, ...)
            Rows as they were before the training set was scaled.
        model : str, optional
            Which, where each actor has its own: ``"actor-0"``.
        workers : int or "auto"
            Processes that compute; "auto": this one, and more if it takes longer than a second.

        Returns
        -------
        NDArray
            Labels, [n], or real values, [n, targets].

        Raises
        ------
        DataError
            If the rows are not such as the model was trained on.
        ResultsError
            If there is no such model, or it is not known how to use it.
        """
        if self.spec is None:
            raise ResultsError(f"{self.folder} does not say what its arrays mean: run it again")
        if model is None and len(self.models) > 1:
            raise ResultsError(f"there are {len(self.models)} models; name one of {', '.join(self.models)}")
        name = model or next(iter(self.models))
        if name not in self.models:
            raise ResultsError(f"there is no model {name!r}, only {', '.join(self.models)}")
        with Predictor(self.spec, self.models[name], workers=workers) as predictor:
            return predictor.predict(x)

    def to_frame(self) -> "pd.DataFrame":
        """Return every number of every arm as a data frame: `History.to_frame`, and a column ``arm``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return frame_of(self.histories)

    def __repr__(self) -> str:
        return run_text(self.arms, self.histories, self.hashes, self.folder)

    def _repr_html_(self) -> str:
        return run_html(self.arms, self.histories, self.hashes, self.folder)
