"""Arrays that no gradient moves, such as batch-norm's statistics and counters, are aggregated apart.

A server's step along a mean update, with momentum or adaptive, can make a variance negative; and in Krum's
distances between models, counters of batches outweigh all parameters. So strategies that take steps or select
models see these arrays as if no client had moved them, and the model gets a plain mean, or a median.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import numpy as np
from flwr.app import ArrayRecord, Message
from flwr.serverapp.strategy import FedAvg, Strategy
from numpy.typing import NDArray

from fedlocal.flower.messages.arrays import array_record, arrays_of, ndarrays
from fedlocal.flower.server.mean import weighted_mean
from fedlocal.flower.server.metrics import metrics_of, numbers, with_record
from fedlocal.flower.server.traits import traits_of

Arrays = Mapping[str, NDArray[Any]]


class UntrainedArraysError(ValueError):
    """A strategy cannot do right by a model's untrained arrays."""


def names_apart(strategy: Strategy, arrays: Arrays, untrained: Collection[str]) -> list[str]:
    """Return the names of the arrays that are aggregated apart from a strategy.

    Raises
    ------
    UntrainedArraysError
        If the strategy would spoil some, and cannot be helped.
    """
    apart = traits_of(strategy).apart
    if apart is None:
        return []
    names = [
        name
        for name, array in arrays.items()
        if array.dtype.kind != "f" or (apart != "median" and name in untrained)
    ]
    if names and apart == "refuse":
        raise UntrainedArraysError(
            f"strategy {type(strategy).__name__} changes all arrays alike, and {', '.join(names)} are no "
            "parameters, such as batch-norm's statistics; take a model without them, or another strategy"
        )
    return names


def separate_untrained(
    strategy: Strategy, replies: Sequence[Message], sent: ArrayRecord, untrained: Collection[str]
) -> tuple[list[Message], dict[str, NDArray[Any]]]:
    """Return what a strategy is to aggregate, and the arrays that are aggregated apart from it.

    Parameters
    ----------
    strategy : Strategy
        One that takes steps has no part in untrained arrays, one that selects models none in arrays of other
        than real numbers; most aggregate everything.
    replies : sequence of Message
        Admitted replies, and errors; at least one has a content.
    sent : ArrayRecord
        The global model that clients were sent.
    untrained : collection of str
        Names of untrained arrays; those that are not of real numbers need not be named.

    Returns
    -------
    replies : sequence of Message
        With these arrays as they were sent, as real numbers.
    apart : dict of str to NDArray
        The mean, weighted as the strategy weighs clients, or where it selects the median; not yet rounded.
    """
    before = {name: ndarrays(sent)[name] for name in names_apart(strategy, ndarrays(sent), untrained)}
    if not before:
        return list(replies), {}
    good = [reply.content for reply in replies if reply.has_content()]
    moved = [{name: arrays_of(content)[name] for name in before} for content in good]
    if traits_of(strategy).apart == "mean":
        key = cast(FedAvg, strategy).weighted_by_key
        apart = weighted_mean(moved, [numbers(metrics_of(content))[key] for content in good])
    else:
        apart = {name: np.asarray(np.median([arrays[name] for arrays in moved], axis=0)) for name in before}
    still = {name: array.astype(np.result_type(array, np.float32)) for name, array in before.items()}
    return [
        reply
        if reply.has_error()
        else with_record(reply, array_record({**arrays_of(reply.content), **still}))
        for reply in replies
    ], apart


def with_dtypes(arrays: Arrays, likes: Arrays) -> dict[str, NDArray[Any]]:
    """Return arrays with the dtypes of others: FedAdam and its kin compute in float64."""
    with np.errstate(over="ignore"):
        return {
            name: array if array.dtype == likes[name].dtype else rounded(array, likes[name].dtype)
            for name, array in arrays.items()
        }


def rounded(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array with a dtype, rounded where that is of integers or truths.

    Values that are not finite cannot be rounded: such an array is returned as it is.
    """
    if dtype.kind in "iub" and array.dtype.kind == "f":
        return np.asarray(np.rint(array), dtype) if np.isfinite(array).all() else array
    return np.asarray(array, dtype)
