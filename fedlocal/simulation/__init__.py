"""Any Flower app, unchanged, on local actors: `simulate` from Python, ``fedlocal simulate`` from a shell.

The room knows the outside of an app: its parts, its messages and its results. It knows nothing of the
training inside an app, nor of experiments.
"""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.simulation.run import Result as Result
    from fedlocal.simulation.run import simulate as simulate
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
