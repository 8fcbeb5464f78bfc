"""``fedlocal predict model=… input=…``: has a saved model answer for rows, and writes what it says."""

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fedlocal.cli.predict_arguments import HELP, PredictRequest, UsageError, check_output, request_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fedlocal.data import Dataset
    from fedlocal.inference.model_spec import ModelSpec
    from fedlocal.inference.predictor import Predictor


def main(arguments: Sequence[str]) -> int:
    """Predict; return the exit code."""
    if {"-h", "--help"} & set(arguments):
        print(HELP)
        return 0
    logging.getLogger("hydra").addHandler(logging.NullHandler())  # its errors are told as ours
    try:
        request = request_of(arguments)
        check_output(request.output)
        return _predict(request)
    except Exception as error:
        from fedlocal.config.schema import is_fedlocal_error

        if not is_fedlocal_error(error):
            raise
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        print(f"error: {error}{notes}", file=sys.stderr)
        return 1


def _predict(request: PredictRequest) -> int:
    from fedlocal.inference.predictor import load_model

    loaded = load_model(
        request.model,
        request.which,
        workers=request.workers,
        batch_size=request.batch_size,
        trust=request.trust,
    )
    with loaded as predictor:
        if request.path:
            _predict_file(request, request.path, predictor)
        else:
            _predict_test_rows(request, predictor)
    return 0


def _predict_file(request: PredictRequest, path: Path, predictor: "Predictor") -> None:
    from fedlocal.inference.tables import read_rows

    rows, notes = read_rows(path, predictor.spec, header=request.header)
    for note in notes:
        _say(note)
    _answer(request, predictor, rows, request.output or Path("predictions.csv"))


def _predict_test_rows(request: PredictRequest, predictor: "Predictor") -> None:
    import numpy as np

    dataset = _dataset_of_model(request.input, predictor.spec)
    outputs = _answer(request, predictor, dataset.test.x, request.output, prepared=True)
    if request.which == "best" or request.model.name.startswith("best"):
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
    request: PredictRequest,
    predictor: "Predictor",
    rows: "NDArray[Any]",
    output: Path | None,
    *,
    prepared: bool = False,
) -> "NDArray[Any]":
    """Have the model answer, and write what it says."""
    from fedlocal.cli.predict_progress import PredictProgress
    from fedlocal.inference.predictions import Predictions, write_predictions

    if request.probabilities:
        predictor.predict_proba(rows[:1], prepared=prepared)  # where there are none, that is said at once
    started = time.perf_counter()
    with PredictProgress(len(rows)) as show:
        outputs = predictor.outputs(rows, prepared=prepared, show=show)
    took = time.perf_counter() - started
    if output:
        chosen = (outputs, predictor.classes) if request.probabilities else ()
        write_predictions(output, Predictions(predictor.named(outputs), *chosen))
        _say(f"{len(rows)} rows in {took:.2f} s: {output}")
    return outputs


def _say(text: str) -> None:
    print(text, file=sys.stderr)
