"""What a run ran on: without it, a time or a hash says little."""

import os
import platform
from pathlib import Path
from typing import Any

PACKAGES = ("fedlocal", "numpy", "scipy", "scikit-learn", "flwr", "hydra-core", "torch", "keras")
"""Distributions whose versions can change a result."""


def environment() -> dict[str, Any]:
    """Describe the machine and the libraries, ready for JSON.

    Returns
    -------
    dict
        ``versions`` (of Python and each of `PACKAGES`, None where not installed), ``platform``, ``cpu``
        (model name), ``cores`` (``logical``, and ``usable`` by this process), ``libraries`` (the BLAS and
        OpenMP libraries loaded, with their number of threads), ``threads`` (the ``*_NUM_THREADS`` variables
        that are set).
    """
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": {"logical": os.cpu_count(), "usable": _usable_cores()},
        "libraries": _libraries(),
        "threads": {name: os.environ[name] for name in sorted(os.environ) if name.endswith("_NUM_THREADS")},
    }


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of each of `PACKAGES`, None where one is not installed."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _version(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # slow to import

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # only Linux has it
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _usable_cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _libraries() -> list[dict[str, Any]]:
    from threadpoolctl import threadpool_info

    # The file path would say where this user keeps their Python, and nothing about the result.
    return [
        {name: value for name, value in library.items() if name != "filepath"}
        for library in threadpool_info()
    ]
