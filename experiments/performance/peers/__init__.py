"""What runs in the environments of the peers: one small program each, started as ``python -m peers.NAME``."""
