"""Attacks from the literature: what malicious clients do, one Hydra preset each.

An attack says which clients are malicious, on which rows they train, and which arrays they reply with. It
knows nothing of messages: `fedlocal.flower.client.malicious` makes clients of it. Its random numbers come
from the generator that it is given, so that the bits of a run are the same wherever its clients run.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data import Rows

Arrays = Mapping[str, NDArray[Any]]


class AttackError(ValueError):
    """An attack is impossible: a parameter out of range, actors that do not exist, data it cannot poison."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Chooses the malicious actors; subclasses say what they do. By itself it attacks nothing.

    Parameters
    ----------
    share : float
        Share of the actors, rounded to the nearest number; from 0 to 1. They are drawn with the run's seed:
        the malicious actors of a share are malicious at a larger share too.
    actors : list of int, optional
        The malicious actors, in place of `share`.

    Attributes
    ----------
    colludes : bool
        Whether malicious clients know one another's models.

    Raises
    ------
    AttackError
        If the share is out of range, or an actor is named twice.
    """

    share: float = 0.0
    actors: list[int] | None = None

    colludes = False

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise AttackError(f"attack.share={self.share}: must be from 0 to 1")
        if len(set(self.actors or ())) != len(self.actors or ()):
            raise AttackError(f"attack.actors={self.actors}: name each malicious actor once")

    def malicious(self, actors: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Return the malicious actors, ascending.

        Parameters
        ----------
        actors : int
            How many actors there are.
        rng : numpy.random.Generator
            Draws the malicious actors.

        Raises
        ------
        AttackError
            If an actor does not exist, or the share is of too few actors to be one of them.
        """
        if self.actors is not None:
            if wrong := [actor for actor in self.actors if not 0 <= actor < actors]:
                raise AttackError(
                    f"attack.actors={self.actors}: actor {wrong[0]} is not of 0 to {actors - 1}"
                )
            return tuple(sorted(self.actors))
        count = round(self.share * actors)
        if self.share and not count:
            raise AttackError(
                f"attack.share={self.share}: of actors={actors} that is nobody; take more, or name one, "
                "attack.actors=[0]"
            )
        return tuple(sorted(rng.permutation(actors)[:count].tolist()))

    def check(self, classes: int | None) -> None:
        """Check that the attack suits data with this many classes; None if targets are real values.

        Raises
        ------
        AttackError
            If the attack does not suit the data.
        """

    def rows(self, rows: Rows, classes: int | None) -> Rows:  # noqa: ARG002 - some flip labels
        """Return the rows that a malicious client trains on in place of its own."""
        return rows

    def arrays(self, sent: Arrays, trained: Sequence[Arrays], rng: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Return what a malicious client replies with; none of the arrays given is written to.

        Parameters
        ----------
        sent : mapping of str to NDArray
            The global model.
        trained : sequence of mapping of str to NDArray
            The model that the client trained; if malicious clients collude, the models of them all, by actor.
        rng : numpy.random.Generator
            The generator of this client and round.
        """
        return trained[0]


@dataclass(frozen=True, kw_only=True)
class LabelFlip(Attack):
    """Malicious clients train on other labels than they have: class y becomes classes - 1 - y [1]_.

    Parameters
    ----------
    source, target : int, optional
        Rows of class `source` get the label `target`, and all others keep theirs.

    References
    ----------
    .. [1] V. Tolpegin, S. Truex, M. E. Gursoy, L. Liu, "Data Poisoning Attacks Against Federated Learning
       Systems", ESORICS 2020 (with a source and a target).
    """

    source: int | None = None
    target: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.source is None) != (self.target is None):
            raise AttackError(
                f"attack.source={self.source} attack.target={self.target}: give both, or neither to flip all"
            )

    def check(self, classes: int | None) -> None:
        """Check that there are labels, and those that are named."""
        _need_labels(classes, "choose another attack")
        for name, label in (("source", self.source), ("target", self.target)):
            if label is not None and not 0 <= label < (classes or 0):
                raise AttackError(f"attack.{name}={label}: must be a class from 0 to {(classes or 0) - 1}")

    def rows(self, rows: Rows, classes: int | None) -> Rows:
        """Return the same features with flipped labels."""
        if self.source is None or self.target is None:
            return _flipped(rows, classes)
        return Rows(rows.x, np.where(rows.y == self.source, self.target, rows.y))


@dataclass(frozen=True, kw_only=True)
class SignFlip(Attack):
    """Malicious clients move against what they learned: global - scale * (trained - global) [1]_.

    Parameters
    ----------
    scale : float
        How far, in lengths of the client's update; above 0.

    References
    ----------
    .. [1] L. Li, W. Xu, T. Chen, G. B. Giannakis, Q. Ling, "RSA: Byzantine-Robust Stochastic Aggregation
       Methods for Distributed Learning from Heterogeneous Datasets", AAAI 2019, "sign-flipping".
    """

    scale: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_positive("scale", self.scale)

    def arrays(self, sent: Arrays, trained: Sequence[Arrays], rng: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Return the global model moved the other way."""
        return _forged(trained[0], lambda name, values: sent[name] - self.scale * (values - sent[name]))


@dataclass(frozen=True, kw_only=True)
class Scaling(Attack):
    """Malicious clients replace the mean by their model: global + factor * (trained - global) [1]_.

    Parameters
    ----------
    factor : float
        Above 0. Actors / malicious ones, where all have equally many rows and the honest ones have
        converged, makes the mean the malicious model.
    flip : bool
        Whether the model is trained on flipped labels, class y as classes - 1 - y; or else honestly.

    References
    ----------
    .. [1] E. Bagdasaryan, A. Veit, Y. Hua, D. Estrin, V. Shmatikov, "How To Backdoor Federated Learning",
       AISTATS 2020, equation 3.
    """

    factor: float = 10.0
    flip: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_positive("factor", self.factor)

    def check(self, classes: int | None) -> None:
        """Check that there are labels, if they are to be flipped."""
        if self.flip:
            _need_labels(classes, "set attack.flip=false")

    def rows(self, rows: Rows, classes: int | None) -> Rows:
        """Return the same features with flipped labels, or the rows themselves."""
        return _flipped(rows, classes) if self.flip else rows

    def arrays(self, sent: Arrays, trained: Sequence[Arrays], rng: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Return the global model moved many times as far."""
        return _forged(trained[0], lambda name, values: sent[name] + self.factor * (values - sent[name]))


@dataclass(frozen=True, kw_only=True)
class Noise(Attack):
    """Malicious clients add Gaussian noise to what they trained.

    Parameters
    ----------
    deviation : float
        Standard deviation of the noise, in the unit of the parameters; above 0.
    """

    deviation: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_positive("deviation", self.deviation)

    def arrays(self, sent: Arrays, trained: Sequence[Arrays], rng: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Return the trained model with noise."""
        return _forged(trained[0], lambda _, values: values + rng.normal(0.0, self.deviation, values.shape))


@dataclass(frozen=True, kw_only=True)
class NaN(Attack):
    """Malicious clients reply with NaN; admission makes an error of each such reply.

    By default all clients must reply, and the run would end with the first round: the preset sets
    ``min_results=1``.
    """

    def arrays(self, sent: Arrays, trained: Sequence[Arrays], rng: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Return NaN everywhere."""
        return _forged(trained[0], lambda _, values: np.full_like(values, np.nan))


@dataclass(frozen=True, kw_only=True)
class Colluding(Attack):
    """Malicious clients all reply with the same model, which looks like an honest one [1]_.

    It is mean + deviations * standard deviation, coordinate by coordinate, of what the malicious clients
    trained, each honestly. Among honest models that differ more from one another than this one from their
    mean it is not conspicuous; but where all honest ones err at random, it errs the same way each round.
    The clients show one another their partitions for it, and each trains for all: with m malicious clients
    a round takes m * m trainings in place of m.

    Parameters
    ----------
    deviations : float
        How far from the mean, in standard deviations, either way; the paper's z. The further, the more harm,
        and the easier to tell from honest models. The fewer collude, the further they have to go, since
        they know their own deviation alone and are outnumbered.

    References
    ----------
    .. [1] G. Baruch, M. Baruch, Y. Goldberg, "A Little Is Enough: Circumventing Defenses For Distributed
       Learning", NeurIPS 2019, algorithm 3.
    """

    deviations: float = 5.0

    colludes = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.deviations) and self.deviations):
            raise AttackError(f"attack.deviations={self.deviations}: must be a finite number other than 0")

    def malicious(self, actors: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Return the malicious actors, ascending: none, or several."""
        chosen = super().malicious(actors, rng)
        if len(chosen) == 1:
            raise AttackError(
                f"attack=colluding: actor {chosen[0]} of actors={actors} has nobody to collude with; "
                "set attack.share or attack.actors for 2 or more"
            )
        return chosen

    def arrays(self, sent: Arrays, trained: Sequence[Arrays], rng: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Return the model that all malicious clients reply with."""

        def beside_the_mean(name: str, _: NDArray[Any]) -> NDArray[Any]:
            models = np.stack([arrays[name] for arrays in trained])
            return np.asarray(models.mean(axis=0) + self.deviations * models.std(axis=0))

        return _forged(trained[0], beside_the_mean)


def _forged(trained: Arrays, forge: Callable[[str, NDArray[Any]], NDArray[Any]]) -> Arrays:
    """Return arrays with those of real numbers replaced, in their dtypes; counters and the like stay."""
    with np.errstate(all="ignore"):
        return {
            name: np.asarray(forge(name, values), values.dtype) if values.dtype.kind == "f" else values
            for name, values in trained.items()
        }


def _flipped(rows: Rows, classes: int | None) -> Rows:
    return Rows(rows.x, (classes or 0) - 1 - rows.y)


def _need_labels(classes: int | None, instead: str) -> None:
    if classes is None:
        raise AttackError(f"attack: there are no labels to flip where targets are real values; {instead}")


def _need_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise AttackError(f"attack.{name}={value}: must be a finite number above 0")
