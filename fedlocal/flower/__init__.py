"""All that touches Flower: client app, server app, the local grid, strategies, admission of replies.

Importing this package imports nothing, so that workers can start before Flower is loaded; its parts are
imported from where they are.
"""

import os

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")  # a local run sends nothing anywhere
