"""Flower's own engines as places where clients run: the simulation on Ray, a SuperLink with its SuperNodes.

Server and clients are other processes there, perhaps on other machines. They share a line of options: each
composes the same configuration from it, and so has the same data, partitions and model.
"""
