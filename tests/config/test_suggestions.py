"""What was mistyped is refused in one line that names what was meant."""

import pytest

from fedlocal.config.compose import compose
from fedlocal.config.schema import ConfigError
from fedlocal.config.validation import check


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("actor=8", "actor=8: there is no option actor; did you mean actors?"),
        ("+actor=8", "actor: there is no such option; did you mean actors?"),
        ("++actor=8", "actor: there is no such option; did you mean actors?"),
        ("modle=mlp", "modle=mlp: there is no option modle; did you mean model?"),
        ("experimnt=debug", "experimnt=debug: there is no option experimnt; did you mean experiment?"),
        ("model=mpl", "model=mpl: there is no such model; did you mean mlp? known: cnn, keras, mlp"),
        ("tracker=tensorbord", "tracker=tensorbord: there is no such tracker; did you mean tensorboard?"),
        ("model.hiden=[4]", "model.hiden=[4]: there is no option model.hiden; did you mean hidden?"),
        ("sweep.resum=true", "sweep.resum=true: there is no option sweep.resum; did you mean resume?"),
        ("partition.alpha=1", "partition.alpha=1: there is no option partition.alpha; partition=dirichlet, "),
        ("rounds", "rounds: expected rounds=VALUE"),
        ("rounds=many", "rounds=many: Value 'many' of type 'str' could not be converted to Integer"),
        ("display=loud", "display=loud: Invalid value 'loud', expected one of [auto, plain, off]"),
        ("+model=mlp", "+model=mlp: write model=mlp, without +"),
        ("+experiment=debug", "+experiment=debug: write experiment=debug, without +"),
        ("~rouns", "~rouns: there is nothing to remove"),
        ("~actors", "~actors: cannot be removed; to have its default, leave it out"),
        ("~partition", "~partition: cannot be removed; to have its default, leave it out"),
        ("model.hidden=[4", "model.hidden=[4: not an option as Hydra writes them"),
        ("model@mine=mlp", "Could not override 'model@mine'. Did you mean to override model?"),
    ],
)
def test_a_typo_is_one_line_with_what_comes_nearest_and_never_the_advice_to_append(
    typed: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        compose(typed)
    assert str(refused.value).startswith(reason)
    assert len(str(refused.value).splitlines()) == 1
    assert "+actor" not in str(refused.value)


@pytest.mark.parametrize("group", ["dataset", "partition", "skew", "model", "scheme", "strategy", "client"])
def test_a_group_cannot_be_null_and_the_error_is_one_line(group: str) -> None:
    with pytest.raises(ConfigError, match=f"^{group}=null: must be the name of an option"):
        compose(f"{group}=null")


def test_a_parameter_without_a_line_in_the_file_of_its_group_is_said_to_need_a_plus() -> None:
    with pytest.raises(ConfigError, match=r"write \+strategy.train_metrics_aggr_fn=null"):
        compose("strategy.train_metrics_aggr_fn=null")
    assert compose("+strategy.train_metrics_aggr_fn=null").strategy.train_metrics_aggr_fn is None


def test_an_option_that_was_appended_to_a_group_is_compared_with_what_its_target_takes() -> None:
    with pytest.raises(ConfigError, match=r"MLP has no such parameter; did you mean hidden\?"):
        check(compose("+model.hiden=[4]"))
