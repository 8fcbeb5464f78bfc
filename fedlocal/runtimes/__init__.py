"""fedlocal's own federation on Flower's engines: the simulation on Ray, a SuperLink with its SuperNodes.

Server and clients are other processes there, perhaps on other machines. What they share is a line of
options: each composes the same configuration from it, and has the same data, partitions and model.
"""
