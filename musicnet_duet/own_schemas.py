"""Whether the package `schemas` is this project's: PyPI has another one of that name.

Without this check, its absence would surface as a traceback about a missing name. Both halves and
the command line import this module before anything of `schemas`.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.abc import InspectLoader

_MARK = "musicnet-duet"
"""A text in the source of our `schemas/__init__.py`. Foreign code is read, never executed."""


def require_own_schemas() -> None:
    """Raises `ImportError` where Python finds another package `schemas` first.

    Under `python -m` and `duet` it ends the process with that one line on standard error instead.
    """
    spec = importlib.util.find_spec("schemas")
    if spec is None or not isinstance(spec.loader, InspectLoader):
        return
    source = spec.loader.get_source("schemas")
    if source is None or _MARK in source:
        return
    where = spec.origin or ", ".join(spec.submodule_search_locations or ())
    message = (
        f"the package 'schemas' at {where} is not musicnet-duet's; uninstall it or remove it from "
        "Python's path, then install musicnet-duet again"
    )
    # Python documents "-m" as the name of a package that it is about to run.
    if sys.argv and os.path.basename(sys.argv[0]) in ("duet", "-m"):
        sys.exit(f"error: {message}")
    raise ImportError(message)


require_own_schemas()
