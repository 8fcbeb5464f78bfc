# ruff: noqa: N812 - addresses of schemes are written as those of classes; a module has the function's name
"""How the model is trained: one file per scheme, all with one signature (`Scheme`).

What ``conf/scheme`` names has its public address here: `Federated` is `fedlocal.schemes.federated.federated`.
"""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.schemes.base import OnRound, Scheme, Setting, Trained
    from fedlocal.schemes.batch_parallel.scheme import batch_parallel as BatchParallel
    from fedlocal.schemes.federated import federated as Federated
    from fedlocal.schemes.local import local as Local
    from fedlocal.schemes.pipeline.scheme import pipeline as Pipeline
    from fedlocal.schemes.sequential import sequential as Sequential

__all__ = [
    "BatchParallel",
    "Federated",
    "Local",
    "OnRound",
    "Pipeline",
    "Scheme",
    "Sequential",
    "Setting",
    "Trained",
]

_HOMES = {
    "fedlocal.schemes.base": "OnRound Scheme Setting Trained",
    "fedlocal.schemes.batch_parallel.scheme": "BatchParallel=batch_parallel",
    "fedlocal.schemes.federated": "Federated=federated",
    "fedlocal.schemes.local": "Local=local",
    "fedlocal.schemes.pipeline.scheme": "Pipeline=pipeline",
    "fedlocal.schemes.sequential": "Sequential=sequential",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
