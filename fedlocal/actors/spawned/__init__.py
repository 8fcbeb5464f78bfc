"""Actors of your own: behaviours, references, the registry, and what they send one another."""
