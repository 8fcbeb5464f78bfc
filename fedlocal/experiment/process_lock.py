"""Whose turn it is: BLAS threads, Flower's log and its identity are the process's, so runs take turns."""

import threading

one_at_a_time = threading.RLock()
