"""Grids whose nodes are actors of this device, and the backends that say where those actors run."""
