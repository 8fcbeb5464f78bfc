"""One run of an experiment, from its configuration to its folder, and sweeps of runs."""
