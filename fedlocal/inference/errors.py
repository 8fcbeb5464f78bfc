"""The error of the inference room."""


class InferenceError(RuntimeError):
    """A saved model cannot be built again, or does not answer."""
