"""Any Flower app, unchanged, on local actors: `simulate` from Python, ``fedlocal simulate`` from a shell.

The room knows the outside of an app: where its parts are, what its messages did. It knows nothing of what an
app trains, nor of experiments.
"""

from fedlocal.simulation.run import Result, simulate

__all__ = ["Result", "simulate"]
