"""The page cache of the kernel: filling it with files, dropping them, and seeing what it holds."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

DROP_CACHES = Path("/proc/sys/vm/drop_caches")
_BLOCK_BYTES = 1 << 20


def warm(paths: Sequence[Path]) -> None:
    """Reads every file once."""
    block = bytearray(_BLOCK_BYTES)
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(block):
                pass


def drop(paths: Sequence[Path]) -> str:
    """Drops the files' pages, and says by which means: the whole cache's where that is allowed."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    try:
        DROP_CACHES.write_text("1")
    except OSError:
        for path in paths:
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return "posix_fadvise(DONTNEED)"
    return str(DROP_CACHES)


def cached_share(paths: Sequence[Path]) -> float:
    """The share of the files' pages that the cache holds, from 0 to 1, by mincore(2)."""
    cached = pages = 0
    libc = ctypes.CDLL(None, use_errno=True)
    for path in paths:
        nbytes = path.stat().st_size
        if not nbytes:
            continue
        # A private copy, of which no page is ever written: ctypes takes no read-only map.
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as view:
            present = (ctypes.c_ubyte * -(-nbytes // mmap.PAGESIZE))()
            start = ctypes.c_char.from_buffer(view)
            failed = libc.mincore(ctypes.byref(start), ctypes.c_size_t(nbytes), present)
            del start  # or the map could not be closed
        if failed:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
        cached += sum(page & 1 for page in present)
        pages += len(present)
    return cached / max(1, pages)
