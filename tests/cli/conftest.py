"""What verbs of the command work on: a trained model, and a sweep."""

from tests.inference.conftest import train
from tests.report.conftest import sweep, trained

__all__ = ["sweep", "train", "trained"]
