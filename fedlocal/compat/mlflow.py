"""MLflow's private names: its telemetry."""

from mlflow.telemetry import set_telemetry_client


def read_telemetry_settings() -> None:
    """Have MLflow read again from the environment whether it may send telemetry.

    It relies on ``mlflow.telemetry.set_telemetry_client``. Without it a program that has imported MLflow
    before a run begins would go on sending what fedlocal turns off.
    """
    set_telemetry_client()
