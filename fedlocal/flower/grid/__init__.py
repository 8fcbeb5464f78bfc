"""Flower's grid over local actors, and the backends that make one."""
