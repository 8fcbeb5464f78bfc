"""``python -m fedlocal`` is ``fedlocal``."""

import os
import sys

here = os.path.realpath(sys.path[0] or os.curdir)
if not sys.flags.safe_path and here != os.path.dirname(os.path.dirname(os.path.realpath(__file__))):  # noqa: PTH120 - pathlib imports what may lie there
    del sys.path[0]  # the current folder: what lies there is no library

from fedlocal.cli.main import main  # noqa: E402 - with the path as it is now

if __name__ == "__main__":
    main()
