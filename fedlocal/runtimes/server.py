"""The server app that ``flwr run`` finds in ``pyproject.toml``: an experiment on the nodes of a SuperLink."""

from datetime import datetime
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from fedlocal.experiment.run import run
from fedlocal.runtimes.engine_backends import GridBackend
from fedlocal.runtimes.federation import OVERRIDES, composed

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the experiment; its results lie in ``outputs/`` where the server app runs."""
    line = str(context.run_config[OVERRIDES])
    folder = Path("outputs", f"{datetime.now().astimezone():%Y-%m-%d/%H-%M-%S-%f}")
    folder.mkdir(parents=True)
    outcome = run(composed(line), folder, line.split(), backend=GridBackend(grid))
    for arm in outcome.arms:
        print(f"{arm.name}: accuracy {arm.accuracy}, loss {arm.loss}, training {arm.seconds:.2f} s")
    print(f"weights {next(iter(outcome.hashes.values()))}")
    print(f"results {folder.absolute()}")
