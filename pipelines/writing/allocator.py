"""What a process that works through many arrays of a few megabytes asks of its allocator."""

from __future__ import annotations

import numpy as np

_LARGEST_KEPT = 16 << 20


def keep_freed_memory() -> None:
    """Lets glibc keep up to 32 MiB that was freed, for the next arrays.

    Otherwise most arrays are handed back to the system, and every page of the next one has to be
    fetched and cleared again: a fifth of the time that a window takes. glibc raises its threshold,
    and its reserve to twice that, to the largest array that was ever mapped and freed (mallopt(3),
    M_MMAP_THRESHOLD), which the one here is. Other C libraries are not disturbed.
    """
    np.empty(_LARGEST_KEPT, np.uint8)
