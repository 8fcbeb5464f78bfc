"""The server app: the round loop over a strategy, who takes part, the mean, and what is aggregated."""
