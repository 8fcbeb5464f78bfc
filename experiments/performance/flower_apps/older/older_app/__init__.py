"""The same as a Flower app of the older API."""
