"""How many malicious actors a robust strategy withstands, checked before a run: often it is none."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from flwr.serverapp.strategy import Bulyan, Strategy

from fedlocal.availability import Presences
from fedlocal.flower.server.traits import traits_of
from fedlocal.flower.server.wrapping import innermost


class WeakStrategyError(ValueError):
    """A strategy could give no model."""


def weakness(strategy: Strategy, presences: Presences, actors: int, rounds: int, malicious: int) -> str:
    """Return a warning if a robust strategy withstands fewer malicious actors than there are, else nothing.

    Parameters
    ----------
    strategy : Strategy
        Any strategy; most claim no robustness.
    presences : callable
        Which actors are there, by round.
    actors, rounds : int
        The run's numbers of actors and of rounds.
    malicious : int
        How many of the actors are malicious; strategies are judged by 1 at least.

    Raises
    ------
    WeakStrategyError
        If it is Bulyan, which gives no model in rounds of too few replies.
    """
    strategy = innermost(strategy)
    if withstands(strategy, 0) is None:
        return ""
    number, replies = min(_replies(strategy, presences, actors, rounds), key=lambda pair: pair[1])
    feared, withstood = max(1, malicious), withstands(strategy, replies) or 0
    name = type(strategy).__name__
    assumed: int = getattr(strategy, "num_malicious_nodes", feared)
    counted = f"{replies} repl{'y' if replies == 1 else 'ies'}"
    counted += " a round" if presences() is None else f" in round {number}"
    if isinstance(strategy, Bulyan) and replies < 4 * assumed + 3:
        fewer = f", or strategy.num_malicious_nodes={(replies - 3) // 4}" if replies >= 3 else ""
        raise WeakStrategyError(
            f"strategy.num_malicious_nodes={assumed}: {name} gives a model of {4 * assumed + 3} replies at "
            f"least, and there are {counted}; take more actors{fewer}"
        )
    if withstood >= feared:
        return ""
    return (
        f"{name} with {counted} withstands {withstood or 'no'} malicious "
        f"actor{'s' * (withstood > 1)}; against {feared} it needs {_needs(strategy, replies, feared)}"
    )


def withstands(strategy: Any, replies: int, malicious: int | None = None) -> int | None:
    """Return how many malicious actors a strategy withstands among so many replies; None if none is claimed.

    The conditions are those of the strategies' papers.

    Parameters
    ----------
    strategy : Strategy
        A strategy.
    replies : int
        Replies in a round.
    malicious : int, optional
        In place of what the strategy is told to assume.
    """
    assumed = getattr(strategy, "num_malicious_nodes", 0) if malicious is None else malicious
    return traits_of(strategy).withstands(strategy, replies, assumed)


def _needs(strategy: Any, replies: int, malicious: int) -> str:
    """Return how many replies, or which options, a strategy needs to withstand so many malicious actors."""
    if hasattr(strategy, "beta"):
        shares = (percent / 100 for percent in range(1, 50))
        beta = next((share for share in shares if int(share * replies) >= malicious), None)
        other = "" if beta is None else f", or strategy.beta={beta}"
        if not strategy.beta:
            return f"strategy.beta above 0{other}"
        return f"{_least(strategy, malicious)} replies{other}"
    differs = hasattr(strategy, "num_malicious_nodes") and strategy.num_malicious_nodes != malicious
    option = f" and strategy.num_malicious_nodes={malicious}" if differs else ""
    return f"{_least(strategy, malicious)} replies{option}"


def _least(strategy: Strategy, malicious: int) -> int:
    return next(number for number in count(1) if (withstands(strategy, number, malicious) or 0) >= malicious)


def _replies(strategy: Strategy, presences: Presences, actors: int, rounds: int) -> Iterator[tuple[int, int]]:
    """Yield rounds, and how many of the clients that are asked can reply; left-out rounds are not yielded."""
    fraction, least = getattr(strategy, "fraction_train", 1.0), getattr(strategy, "min_train_nodes", 1)
    upcoming = presences()
    if upcoming is None:
        yield 1, max(int(actors * fraction), least)
        return
    available = max(least, getattr(strategy, "min_available_nodes", 1))
    yield 1, actors  # where all rounds are left out
    for number, presence in zip(range(1, rounds + 1), upcoming, strict=False):
        there = int(presence.available.sum())
        if there >= max(1, available):
            yield number, min(max(int(there * fraction), least), int(presence.to_the_end.sum()))
