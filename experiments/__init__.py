"""Studies: a question each, and one command that answers it, ``python -m experiments.NAME`` in a checkout."""

import os

os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # before NumPy loads, as in fedlocal's own command
