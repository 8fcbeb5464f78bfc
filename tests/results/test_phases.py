"""A metric's name says its phase, whatever an app calls it."""

from hypothesis import given
from hypothesis import strategies as st

from fedlocal.results.phases import PHASES, Phase, of_actor, of_model, of_phase, phase_of

WORDS = ("train", "client", "query", "test", "loss", "available", "num-examples", "x")
names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).flatmap(
    lambda words: st.sampled_from("-_ ").map(lambda between: between.join(words))
)
metrics = st.dictionaries(names, st.floats(0, 1), max_size=6)


@given(metrics, st.sampled_from(PHASES))
def test_names_of_a_phase_stay_apart_and_say_so(reported: dict[str, float], phase: Phase) -> None:
    named = of_phase(phase, reported)
    assert sorted(named.values()) == sorted(reported.values())
    columns = {"train": "train", "client": "evaluate-clients", "query": "query"}
    assert {phase_of(name) for name in named} <= {columns[phase]}
    assert len(of_actor(phase, reported)) == len(reported)


@given(metrics)
def test_a_central_evaluation_shares_no_name_with_actors(evaluated: dict[str, float]) -> None:
    named = of_model(evaluated)
    assert sorted(named.values()) == sorted(evaluated.values())
    assert {phase_of(name) for name in named} <= {"evaluate"}


@given(metrics, metrics, metrics)
def test_no_two_phases_share_a_name(
    first: dict[str, float], second: dict[str, float], third: dict[str, float]
) -> None:
    shares = [of_phase("train", first), of_phase("client", second), of_model(third)]
    assert len(set().union(*shares)) == sum(map(len, shares))
