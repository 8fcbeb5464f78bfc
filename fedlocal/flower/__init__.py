"""Where fedlocal meets Flower: client, server, grid, node, messages, admission, and Flower's private names.

Of the rest of the house it knows data, models, actors and seeds, and no scheme, experiment or strategy.
Importing this package imports nothing, so that workers can start before Flower is loaded; its parts are
imported from where they are.
"""

import os

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")  # a local run sends nothing anywhere
