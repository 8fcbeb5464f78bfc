"""The supervisor and what it works with: the worker pool, delivery, the journal, exit causes."""
