"""joblib's private names that fedlocal needs, each with what depends on it."""

import joblib
import pytest

from fedlocal.compat.joblib import cpu_count
from tests.compat.private_names import PrivateName, by_name, said

WITHOUT_PROCESSES = """
import os
os.environ["JOBLIB_MULTIPROCESSING"] = "0"
from fedlocal.compat.joblib import cpu_count
import joblib
print(cpu_count(), joblib.cpu_count())
"""

NAMES = [
    PrivateName(
        "joblib.externals.loky.cpu_count",
        lambda: cpu_count() == joblib.cpu_count() >= 1 and said(WITHOUT_PROCESSES) == [str(cpu_count()), "1"],
        "the number of workers (fedlocal.actors.usable_cores)",
    ),
]


@pytest.mark.parametrize("private", NAMES, ids=by_name)
def test_a_private_name_of_joblib_is_as_before(private: PrivateName) -> None:
    private.check(f"joblib {joblib.__version__}")
