"""scikit-learn's estimators, trained by a local federated network."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.estimators.federated import FederatedClassifier, FederatedRegressor

__all__ = ["FederatedClassifier", "FederatedRegressor"]

_HOMES = {
    "fedlocal.estimators.federated": "FederatedClassifier FederatedRegressor",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
