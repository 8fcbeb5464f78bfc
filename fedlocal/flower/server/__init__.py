"""The server app: the round loop, participation, averaging while clients train."""
