"""fedlocal: a local federated network on one device, compared with sequential training."""

import os
import sys

TYPE_CHECKING = False  # not typing's: nothing is imported before `__main__` has seen to the path
if "numpy" not in sys.modules:  # or it comes too late; actors.worker.threads says what it does
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

if TYPE_CHECKING:
    from fedlocal.actors import ActorRef, ActorSystem
    from fedlocal.config.compose import compose
    from fedlocal.config.schema import Config
    from fedlocal.estimators.federated import FederatedClassifier, FederatedRegressor
    from fedlocal.experiment.result import Run
    from fedlocal.experiment.resume import resume
    from fedlocal.experiment.run import run
    from fedlocal.flower.client.clients import partition
    from fedlocal.inference.predictor import Predictor, load_model
    from fedlocal.results import History
    from fedlocal.simulation.run import simulate

__version__ = "0.1.0"
__all__ = [
    "ActorRef",
    "ActorSystem",
    "Config",
    "FederatedClassifier",
    "FederatedRegressor",
    "History",
    "Predictor",
    "Run",
    "compose",
    "load_model",
    "partition",
    "resume",
    "run",
    "simulate",
]

_HOMES = {
    "fedlocal.actors": "ActorRef ActorSystem",
    "fedlocal.config.compose": "compose",
    "fedlocal.config.schema": "Config",
    "fedlocal.estimators.federated": "FederatedClassifier FederatedRegressor",
    "fedlocal.experiment.result": "Run",
    "fedlocal.experiment.resume": "resume",
    "fedlocal.experiment.run": "run",
    "fedlocal.figures.inline": "History",  # with it, notebooks show its curves
    "fedlocal.flower.client.clients": "partition",
    "fedlocal.inference.predictor": "Predictor load_model",
    "fedlocal.simulation.run": "simulate",
}

if not TYPE_CHECKING:
    from fedlocal.lazy import lazy_attributes

    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
