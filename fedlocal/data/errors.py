"""The errors of the data room: each names the value, what was expected and how to put it right."""


class DataError(ValueError):
    """Data that cannot be used: missing, corrupt, of the wrong shape, or not finite."""


class PartitionError(ValueError):
    """A partition that cannot be made: a parameter out of range, or an impossible request."""


class SkewError(ValueError):
    """A feature skew that cannot be applied to these data."""
