"""fedlocal: a local federated network on one device, compared with sequential training."""

import os
import sys

TYPE_CHECKING = False  # not typing's: nothing is imported before `__main__` has seen to the path
if "numpy" not in sys.modules:  # or it comes too late; actors.worker.threads says what it does
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fedlocal.actors import ActorRef as ActorRef
    from fedlocal.actors import ActorSystem as ActorSystem
    from fedlocal.config.compose import compose as compose
    from fedlocal.config.schema import Config as Config
    from fedlocal.estimators.federated import FederatedClassifier as FederatedClassifier
    from fedlocal.estimators.federated import FederatedRegressor as FederatedRegressor
    from fedlocal.experiment.result import Run as Run
    from fedlocal.experiment.resume import resume as resume
    from fedlocal.experiment.run import run as run
    from fedlocal.figures.curves import History as History  # with it, notebooks show its curves
    from fedlocal.flower.client.clients import partition as partition
    from fedlocal.inference.predictor import Predictor as Predictor
    from fedlocal.inference.predictor import load_model as load_model
    from fedlocal.simulation.run import simulate as simulate
else:
    from fedlocal.lazy import lazy_attributes

    __getattr__, __dir__ = lazy_attributes(__name__)
