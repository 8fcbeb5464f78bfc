"""Clients: fedlocal's own, any Flower app on a partition's rows, and what a malicious one makes of either."""
