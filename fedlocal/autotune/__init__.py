"""``actors=auto``: pilots, a model of what actors cost, and the choice of their number."""
