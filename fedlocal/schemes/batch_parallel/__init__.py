"""The batch queue: a coordinator hands batches to processors, and adds their gradients."""
