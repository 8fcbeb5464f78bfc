"""The lock that runs of a process hold in turn: they share BLAS threads, Flower's log and its identity."""

import threading

process_lock = threading.RLock()
