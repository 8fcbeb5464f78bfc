"""A Flower app as people have it: a folder with a package and a ``pyproject.toml``."""
