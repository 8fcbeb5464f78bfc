"""The choice of classes for each actor: a fixed number of classes an actor, every class with an owner."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition.apportionment import Ints, pour

Assignment = Literal["random", "deterministic", "first-deterministic"]
ASSIGNMENTS = ("random", "deterministic", "first-deterministic")
Slots = NDArray[np.bool_]


def class_slots(
    strategy: str, assignment: Assignment, actors: int, per_actor: int, counts: Ints, rng: np.random.Generator
) -> Slots:
    """Choose the classes of each actor.

    Parameters
    ----------
    strategy : str
        The strategy that asks, for the messages.
    assignment : {"random", "deterministic", "first-deterministic"}
        "random": independently for each actor; if that leaves a class without owner or with more owners
        than rows, the number of owners of each class is put right and the classes are dealt anew.
        "deterministic": actor i has classes i, i + 1, ... (modulo the number of classes).
        "first-deterministic": actor i has class i (modulo), its other classes are random.
    actors, per_actor : int
        Number of actors, classes of each.
    counts : ndarray of int64, shape (k,)
        Rows of each class, all positive.

    Returns
    -------
    ndarray of bool, shape (actors, k)
        `per_actor` true values in each row; in each column at least one, and no more than its class has rows.

    Raises
    ------
    PartitionError
        If no such choice exists.
    """
    most = np.minimum(counts, actors)
    _check_possible(strategy, actors, per_actor, counts, most)
    if assignment == "random":
        slots = _random_slots(np.zeros((actors, len(counts)), bool), per_actor, rng)
        owners = slots.sum(axis=0)
        if np.any((owners < 1) | (owners > most)):
            slots = _deal_classes(_limit_owners(owners, most, actors * per_actor), actors, per_actor, rng)
        return slots
    fixed = np.zeros((actors, len(counts)), bool)
    width = per_actor if assignment == "deterministic" else 1
    fixed[np.arange(actors)[:, None], (np.arange(actors)[:, None] + np.arange(width)) % len(counts)] = True
    slots = _adopt_orphans(_random_slots(fixed, per_actor, rng), fixed)
    _check_owners(strategy, assignment, slots.sum(axis=0), counts)
    return slots


def _check_possible(strategy: str, actors: int, per_actor: int, counts: Ints, most: Ints) -> None:
    k, slots = len(counts), actors * per_actor
    if per_actor > k:
        raise PartitionError(f"{strategy}: {per_actor} classes an actor, but the training rows have only {k}")
    if slots < k:
        raise PartitionError(
            f"{strategy}: {actors} actors x {per_actor} classes = {slots} class slots for {k} classes, so "
            f"some class would have no owner; raise the classes an actor to {-(-k // actors)} or more"
        )
    if slots > most.sum():
        raise PartitionError(
            f"{strategy}: {actors} actors x {per_actor} classes need {slots} pairs of an actor and a class "
            f"with at least one row each, the data allow {most.sum()}; take fewer actors or classes an actor"
        )


def _random_slots(fixed: Slots, per_actor: int, rng: np.random.Generator) -> Slots:
    """Keep the fixed classes and fill up with a uniform random choice of the others."""
    keys = np.where(fixed, -1.0, rng.random(fixed.shape))
    chosen = np.argpartition(keys, per_actor - 1, axis=1)[:, :per_actor]
    slots = np.zeros(fixed.shape, bool)
    np.put_along_axis(slots, chosen, True, axis=1)
    return slots


def _limit_owners(owners: Ints, most: Ints, total: int) -> Ints:
    """Bring the number of owners of each class into 1..most, changing as little as possible."""
    wanted = np.clip(owners, 1, most)
    surplus = int(wanted.sum()) - total
    if surplus > 0:
        return wanted - pour(-wanted, wanted - 1, surplus)
    return wanted + pour(wanted, most - wanted, -surplus)


def _deal_classes(owners: Ints, actors: int, per_actor: int, rng: np.random.Generator) -> Slots:
    """Deal classes with given numbers of owners, each to the actors with most slots left, ties at random.

    This is the greedy construction of Gale and Ryser, which succeeds whenever any does.
    """
    slots = np.zeros((actors, len(owners)), bool)
    left = np.full(actors, per_actor)
    for code in rng.permutation(len(owners)):
        takers = np.argpartition(-(left + rng.random(actors)), owners[code] - 1)[: owners[code]]
        slots[takers, code] = True
        left[takers] -= 1
    return slots


def _adopt_orphans(slots: Slots, fixed: Slots) -> Slots:
    """Give each class without owner to an actor that can spare a random class with several."""
    for orphan in np.flatnonzero(~slots.any(axis=0)):
        spare = slots & ~fixed
        richest = int(np.argmax(np.where(spare.any(axis=0), slots.sum(axis=0), 0)))
        if not spare[:, richest].any() or slots[:, richest].sum() < 2:
            break
        giver = int(np.argmax(spare[:, richest]))
        slots[giver, richest], slots[giver, orphan] = False, True
    return slots


def _check_owners(strategy: str, assignment: str, owners: Ints, counts: Ints) -> None:
    if np.any(owners < 1):
        raise PartitionError(
            f"{strategy}: assignment={assignment} leaves {np.sum(owners < 1)} of {len(counts)} classes "
            "without an owner; use assignment=random"
        )
    if np.any(owners > counts):
        code = int(np.argmax(owners - counts))
        raise PartitionError(
            f"{strategy}: assignment={assignment} gives a class of {counts[code]} rows to {owners[code]} "
            "actors; use assignment=random, fewer actors or fewer classes an actor"
        )
