"""``python -m fedlocal`` is ``fedlocal``."""

from fedlocal.cli import main

if __name__ == "__main__":
    main()
