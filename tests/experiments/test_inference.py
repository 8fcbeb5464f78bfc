"""The measurement of saved models compares what it says, and its arms give the same bits."""

import pytest

from tests.experiments.studies import imported

pytestmark = [pytest.mark.usefixtures("no_leaks")]


def test_each_arm_has_a_line_and_a_ratio_to_one_process() -> None:
    with imported("inference", "measure") as modules:
        case = modules.measure.Case("4-3-10", 2, (3,), 3000)
        lines = list(modules.measure.table(case, modules.measure.measured(case, 2, 1)))
    assert [line["arm"] for line in lines] == ["one process", "pool of 2", "pool of 2, with its start"]
    assert lines[0]["ratio"] == 1
    assert all(set(line) == set(modules.measure.FIELDS) for line in lines)
