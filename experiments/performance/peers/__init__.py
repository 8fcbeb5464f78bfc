"""What runs in the environments of the peers: one small program each, started as by its full name."""
