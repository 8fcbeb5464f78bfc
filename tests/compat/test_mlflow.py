"""MLflow's private names that fedlocal needs, each with what depends on it."""

import pytest

from tests.compat.private_names import PrivateName, by_name, said

mlflow = pytest.importorskip("mlflow", reason="pip install 'fedlocal[mlflow]'")
pytestmark = pytest.mark.extras

OFF = """
import logging, os, warnings
warnings.simplefilter("ignore")
for name in ("CI", "PYTEST_CURRENT_TEST"):
    os.environ.pop(name, None)
import mlflow
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
from fedlocal.compat.mlflow import read_telemetry_settings
read_telemetry_settings()
from mlflow.telemetry import get_telemetry_client
print(get_telemetry_client())
"""

NAMES = [
    PrivateName(
        "mlflow.telemetry.set_telemetry_client",
        lambda: said(OFF) == ["None"],
        "turning MLflow's telemetry off where MLflow is loaded already (fedlocal.trackers.MLflow)",
    ),
]


@pytest.mark.parametrize("private", NAMES, ids=by_name)
def test_a_private_name_of_mlflow_is_as_before(private: PrivateName) -> None:
    private.check(f"MLflow {mlflow.__version__}")
