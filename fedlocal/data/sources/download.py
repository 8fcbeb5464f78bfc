"""The one place that uses the network: scikit-learn's OpenML client, with every failure told in one way."""

import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fedlocal.data.errors import DataError

TIMEOUT = 30.0  # seconds without an answer


def fetch(what: str, otherwise: str, **options: Any) -> Any:
    """Download a data set from openml.org, or find it in scikit-learn's cache.

    Parameters
    ----------
    what : str
        Begins the message.
    otherwise : str
        Ends it: how else to get the data.
    **options
        Of `sklearn.datasets.fetch_openml`.

    Returns
    -------
    sklearn.utils.Bunch

    Raises
    ------
    DataError
        If openml.org cannot be reached, does not answer, or does not have the data set.
    """
    from http.client import HTTPException
    from urllib.error import URLError

    from sklearn.datasets import fetch_openml

    try:
        with _impatient():
            return fetch_openml(as_frame=False, n_retries=1, **options)
    except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{what}: openml.org cannot be reached ({reason}). {otherwise}") from error
    except OSError as error:
        raise DataError(f"{what}: the download cannot be kept ({error}); set dataset.cache=FOLDER") from error
    except (ValueError, KeyError) as error:
        raise DataError(f"{what}: OpenML cannot provide it: {error}") from error


@contextmanager
def _impatient() -> Iterator[None]:
    """Give up on a silent network, which the client itself does not, and try again without a bare warning."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "A network error occurred while downloading")
            yield
    finally:
        socket.setdefaulttimeout(before)
