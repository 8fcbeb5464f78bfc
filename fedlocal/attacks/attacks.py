"""Attacks from the literature: what malicious clients do, one Hydra preset each.

An attack says which clients are malicious, on which rows they train, and which arrays they reply with. It
knows nothing of messages: `fedlocal.flower.client.malicious` makes clients of it. Its random numbers come
from the generator that it is given, so that the bits of a run are the same wherever its clients run.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fedlocal.data import Rows

Array = NDArray[Any]
Arrays = Mapping[str, Array]


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
    flip : bool
        Whether they train on other labels: class y as classes - 1 - y.

    Raises
    ------
    AttackError
        If the share is out of range, or an actor is named twice.
    """

    share: float = 0.0
    actors: list[int] | None = None

    colludes = flip = False
    without_labels = "choose another attack"
    positive: ClassVar[tuple[str, ...]] = ()  # parameters that must be

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise AttackError(f"attack.share={self.share}: must be from 0 to 1")
        if len(set(self.actors or ())) != len(self.actors or ()):
            raise AttackError(f"attack.actors={self.actors}: name each malicious actor once")
        for name in self.positive:
            if not (math.isfinite(value := getattr(self, name)) and value > 0):
                raise AttackError(f"attack.{name}={value}: must be a finite number above 0")

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
        if self.flip and classes is None:
            why = "there are no labels to flip where targets are real values"
            raise AttackError(f"attack: {why}; {self.without_labels}")

    def rows(self, rows: Rows, classes: int | None) -> Rows:
        """Return the rows that a malicious client trains on in place of its own."""
        return Rows(rows.x, (classes or 0) - 1 - rows.y) if self.flip else rows

    def arrays(self, sent: Arrays, trained: Sequence[Arrays], rng: np.random.Generator) -> Arrays:
        """Return a malicious client's reply: of real numbers what `forge` makes; counters and the like stay.

        Parameters
        ----------
        sent : mapping of str to NDArray
            The global model.
        trained : sequence of mapping of str to NDArray
            The model that the client trained; if malicious clients collude, the models of them all, by actor.
        rng : numpy.random.Generator
            The generator of this client and round.
        """

        def forged(name: str, values: Array) -> Array:
            models = [arrays[name] for arrays in trained]
            return np.asarray(self.forge(sent.get(name, values), models, rng), values.dtype)

        with np.errstate(all="ignore"):
            return {
                name: forged(name, values) if values.dtype.kind == "f" else values
                for name, values in trained[0].items()
            }

    def forge(self, sent: Array, trained: Sequence[Array], rng: np.random.Generator) -> Array:  # noqa: ARG002
        """Return what is sent in place of one array; none that is given is written to."""
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

    flip = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.source is None) != (self.target is None):
            raise AttackError(
                f"attack.source={self.source} attack.target={self.target}: give both, or neither to flip all"
            )

    def check(self, classes: int | None) -> None:
        """Check that there are labels, and those that are named."""
        super().check(classes)
        for name, label in (("source", self.source), ("target", self.target)):
            if label is not None and not 0 <= label < (classes or 0):
                raise AttackError(f"attack.{name}={label}: must be a class from 0 to {(classes or 0) - 1}")

    def rows(self, rows: Rows, classes: int | None) -> Rows:
        """Return the same features with flipped labels."""
        if self.source is None or self.target is None:
            return super().rows(rows, classes)
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

    positive = ("scale",)

    def forge(self, sent: Array, trained: Sequence[Array], rng: np.random.Generator) -> Array:  # noqa: ARG002
        """Return the global array moved the other way."""
        return sent - self.scale * (trained[0] - sent)


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

    without_labels = "set attack.flip=false"

    positive = ("factor",)

    def forge(self, sent: Array, trained: Sequence[Array], rng: np.random.Generator) -> Array:  # noqa: ARG002
        """Return the global array moved many times as far."""
        return sent + self.factor * (trained[0] - sent)


@dataclass(frozen=True, kw_only=True)
class Noise(Attack):
    """Malicious clients add Gaussian noise to what they trained.

    Parameters
    ----------
    deviation : float
        Standard deviation of the noise, in the unit of the parameters; above 0.
    """

    deviation: float = 1.0

    positive = ("deviation",)

    def forge(self, sent: Array, trained: Sequence[Array], rng: np.random.Generator) -> Array:  # noqa: ARG002
        """Return the trained array with noise."""
        return trained[0] + rng.normal(0.0, self.deviation, trained[0].shape)


@dataclass(frozen=True, kw_only=True)
class NaN(Attack):
    """Malicious clients reply with NaN; admission makes an error of each such reply.

    By default all clients must reply, and the run would end with the first round: the preset sets
    ``min_results=1``.
    """

    def forge(self, sent: Array, trained: Sequence[Array], rng: np.random.Generator) -> Array:  # noqa: ARG002
        """Return NaN everywhere."""
        return np.full_like(trained[0], np.nan)


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

    def forge(self, sent: Array, trained: Sequence[Array], rng: np.random.Generator) -> Array:  # noqa: ARG002
        """Return the array that all malicious clients reply with."""
        models = np.stack(trained)
        return np.asarray(models.mean(axis=0) + self.deviations * models.std(axis=0))
