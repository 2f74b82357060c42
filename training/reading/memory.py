"""Memory for the arrays of batches, which is used again when nobody looks at it anymore."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.reading.layout import FeatureLayout

_ALIGNMENT = 64
"""TensorFlow takes an array without a copy where its memory begins at a multiple of this."""

_UNUSED = 2
"""References to a block that `sys.getrefcount` finds where no array refers to it: the argument of
`sys.getrefcount`, and the list of blocks."""


class BatchMemory:
    """Blocks of memory for the arrays of up to `most` batches of the same size.

    The system takes about as long to hand out fresh pages as the page cache does to fill them. A
    block is free again once no array refers to it: all views of an array, and whatever shares
    memory with one, such as a tensor, hold a reference to the array that owns the memory.

    Used by one thread at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._blocks: dict[str, list[NDArray[np.uint8]]] = {}

    def arrays(
        self, layouts: Mapping[str, FeatureLayout], examples: int
    ) -> dict[str, NDArray[Any]]:
        """An array [examples, *shape] for each feature, with whatever values are there."""
        found = {}
        for name, layout in layouts.items():
            nbytes = examples * layout.nbytes
            block = self._block(self._blocks.setdefault(name, []), nbytes + _ALIGNMENT)
            first = -block.ctypes.data % _ALIGNMENT
            values = block[first : first + nbytes].view(layout.dtype)
            found[name] = values.reshape(examples, *layout.shape)
        return found

    def _block(self, blocks: list[NDArray[np.uint8]], nbytes: int) -> NDArray[np.uint8]:
        unused = [i for i in range(len(blocks)) if sys.getrefcount(blocks[i]) == _UNUSED]
        for i in unused:
            if len(blocks[i]) >= nbytes:
                return blocks[i]
        for i in reversed(unused):
            del blocks[i]  # They are smaller than what is needed now.
        block = np.empty(nbytes, np.uint8)
        if len(blocks) < self._most:
            blocks.append(block)
        return block
