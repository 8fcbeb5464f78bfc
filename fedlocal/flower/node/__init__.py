"""A node: the client app it loads, its state, its seeds and its output."""
