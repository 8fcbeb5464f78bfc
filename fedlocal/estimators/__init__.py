"""scikit-learn's estimators, trained by a local federated network."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.estimators.federated import FederatedClassifier as FederatedClassifier
    from fedlocal.estimators.federated import FederatedRegressor as FederatedRegressor
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
