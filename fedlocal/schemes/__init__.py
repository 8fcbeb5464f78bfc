# ruff: noqa: F401, N812 - addresses of schemes are written as those of classes; a module has the function's name
"""How the model is trained: one file per scheme, all with one signature (`Scheme`).

What ``conf/scheme`` names has its public address here: `Federated` is `fedlocal.schemes.federated.federated`.
"""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.config.capabilities import Capabilities as Capabilities
    from fedlocal.config.capabilities import capabilities_of as capabilities_of
    from fedlocal.schemes.base import OnRound as OnRound
    from fedlocal.schemes.base import Scheme as Scheme
    from fedlocal.schemes.base import Setting as Setting
    from fedlocal.schemes.base import Trained as Trained
    from fedlocal.schemes.batch_parallel.scheme import batch_parallel as BatchParallel
    from fedlocal.schemes.federated import federated as Federated
    from fedlocal.schemes.local import local as Local
    from fedlocal.schemes.pipeline.scheme import pipeline as Pipeline
    from fedlocal.schemes.sequential import sequential as Sequential
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
