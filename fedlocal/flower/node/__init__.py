"""A node where it runs: how its client app gets there, its state, its seeds, and what it prints."""
