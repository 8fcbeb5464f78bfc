"""``fedlocal predict model=… input=…``: has a saved model answer for rows, and writes what it says."""

import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from fedlocal.cli.options import UsageError, Verb, option

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fedlocal.data import Dataset
    from fedlocal.inference.model_spec import ModelSpec
    from fedlocal.inference.predictor import Predictor


@dataclass(frozen=True)
class PredictOptions:
    """Have a trained model answer for new rows.

    exit codes: 0 all rows were answered; 1 they were not; 130 after Ctrl-C
    """

    model: Path = option("the folder of a run, or a model's file in it, such as FOLDER/actor-0.npz", "FOLDER")
    input: str = option(
        "raw rows: a .csv, whose columns are found by their names where the training set had names, or an "
        ".npz with an array x; or test, or the training set's name: its test rows",
        "FILE.csv|FILE.npz|test",
    )
    header: bool | Literal["auto"] = option(
        "whether the first line of a .csv names its columns: true, false, or auto, which asks where the line "
        "could be a row as well",
        default="auto",
    )
    output: Path | None = option(
        "where predictions go: .csv or .npz; predictions.csv without it, but of test rows nowhere",
        default=None,
    )
    which: Literal["last", "best"] = option(
        "or best: the model of the round that did best on the test rows, also of a run that has not ended",
        default="last",
    )
    probabilities: bool = option("or true: write the probability of each class, too", default=False)
    workers: int | Literal["auto"] = option(
        "processes that compute; auto: this one, and more if it takes longer than a second", default="auto"
    )
    batch_size: int = option("rows that a worker takes at a time", default=1024)
    trust: bool = option(
        "or true: import and call whatever the model's files name, such as a class of your own",
        default=False,
    )

    @property
    def path(self) -> Path | None:
        """The file of rows, None if a data set is meant."""
        path = Path(self.input).expanduser()
        return path if path.suffix in (".csv", ".npz") or path.is_file() else None


def _predict(options: PredictOptions) -> int:
    logging.getLogger("hydra").addHandler(logging.NullHandler())  # its errors are told as ours
    _check_output(options.output)
    from fedlocal.inference.predictor import load_model

    limits: dict[str, Any] = {"workers": options.workers, "batch_size": options.batch_size}
    with load_model(options.model, options.which, **limits, trust=options.trust) as predictor:
        if options.path:
            _predict_file(options, options.path, predictor)
        else:
            _predict_test_rows(options, predictor)
    return 0


def _check_output(path: Path | None) -> None:
    """Refuse a file that cannot be written before there is anything to write."""
    if path and path.suffix not in (".csv", ".npz"):
        raise UsageError(f"output={path}: must end in .csv or .npz")
    if path and (path.is_dir() or not path.parent.is_dir()):
        raise UsageError(f"output={path}: {'is a folder' if path.is_dir() else 'its folder does not exist'}")


def _predict_file(options: PredictOptions, path: Path, predictor: "Predictor") -> None:
    from fedlocal.inference.tables import read_rows

    rows, notes = read_rows(path, predictor.spec, header=None if options.header == "auto" else options.header)
    for note in notes:
        _say(note)
    _answer(options, predictor, rows, options.output or Path("predictions.csv"))


def _predict_test_rows(options: PredictOptions, predictor: "Predictor") -> None:
    import numpy as np

    dataset = _dataset_of_model(options.input, predictor.spec)
    outputs = _answer(options, predictor, dataset.test.x, options.output, prepared=True)
    if options.which == "best" or options.model.name.startswith("best"):
        _say("note: this round was chosen since it did best on these rows; on others it may well do worse")
    of = f"of {len(outputs)} test rows of {dataset.name}"
    if dataset.classes is not None:
        print(f"accuracy {(outputs.argmax(axis=1) == dataset.test.y).mean():.4f} {of}")
    else:
        by, y = dataset.target_scaling, dataset.test.y
        errors = outputs - (by.inverse(y) if by else y)
        print(f"mean squared error {np.square(errors, dtype=np.float64).mean():.4g} {of}")


def _dataset_of_model(name: str, spec: "ModelSpec") -> "Dataset":
    """Return what the model was trained on: of its test rows alone it is known how to prepare them."""
    from omegaconf import OmegaConf

    from fedlocal.config.build import build
    from fedlocal.config.schema import Config
    from fedlocal.data import differing_parts, fingerprint
    from fedlocal.seeds import Stream, generator

    options = spec.config["dataset"]
    names = ("test", spec.dataset, str(options["_target_"]).rpartition(".")[2])
    if name not in names:
        raise UsageError(
            f"input={name}: is neither a file nor the model's own data set: its test rows are "
            f"input={spec.dataset}; other rows come as .csv or .npz"
        )
    spec.check("dataset")
    config = cast(Config, OmegaConf.create(dict(spec.config)))
    dataset: Dataset = build(config, "dataset", rng=generator(int(config.seed), Stream.DATASET))
    if (dataset.inputs, dataset.outputs) != (spec.inputs, spec.outputs):
        raise UsageError(
            f"input={name}: the data set has changed since training: {dataset.inputs} features and "
            f"{dataset.outputs} outputs, the model has {spec.inputs} and {spec.outputs}"
        )
    if differing := differing_parts(spec.data, fingerprint(dataset)):
        raise UsageError(
            f"input={name}: the data set has changed since training ({differing}), and its test rows may "
            "have been trained on: put the old one back, or give rows as .csv or .npz"
        )
    return dataset


def _answer(
    options: PredictOptions,
    predictor: "Predictor",
    rows: "NDArray[Any]",
    output: Path | None,
    *,
    prepared: bool = False,
) -> "NDArray[Any]":
    """Have the model answer, and write what it says."""
    from fedlocal.cli.predict_progress import PredictProgress
    from fedlocal.inference.predictions import Predictions, write_predictions

    if options.probabilities:
        predictor.predict_proba(rows[:1], prepared=prepared)  # where there are none, that is said at once
    started = time.perf_counter()
    with PredictProgress(len(rows)) as show:
        outputs = predictor.outputs(rows, prepared=prepared, show=show)
    took = time.perf_counter() - started
    if output:
        chosen = (outputs, predictor.classes) if options.probabilities else ()
        write_predictions(output, Predictions(predictor.named(outputs), *chosen))
        _say(f"{len(rows)} rows in {took:.2f} s: {output}")
    return outputs


def _say(text: str) -> None:
    print(text, file=sys.stderr)


main = Verb("predict", PredictOptions, _predict)
