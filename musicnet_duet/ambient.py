"""Libraries, imported whatever the environment of the process says."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any


def import_matplotlib() -> Any:
    """The module matplotlib, also where MPLBACKEND names a backend that is not installed.

    A notebook exports its own backend to the commands that it starts, where matplotlib's import
    fails over it. A backend that is installed is chosen as ever, for whoever uses pyplot.
    """
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
    return matplotlib
