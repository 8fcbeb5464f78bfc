"""Saved models at work: built again from their files, and served by a pool of actors.

The room knows nothing of how models are trained. Workers import `fedlocal.inference.worker` alone.
"""


class InferenceError(RuntimeError):
    """A saved model cannot be built again, or does not answer."""
