"""scikit-learn's estimators, trained by a local federated network."""

from fedlocal.estimators.federated import FederatedClassifier, FederatedRegressor

__all__ = ["FederatedClassifier", "FederatedRegressor"]
