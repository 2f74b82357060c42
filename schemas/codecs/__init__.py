"""The file formats of shards. Another one is a module beside these, and a line in `_CODECS` and in
`names.FORMATS`."""

from collections.abc import Mapping

from schemas.codecs.base import ShardCodec
from schemas.codecs.hdf5 import HDF5Codec
from schemas.codecs.tfrecord import TFRecordCodec

_CODECS: tuple[ShardCodec, ...] = (
    TFRecordCodec(),
    HDF5Codec(),
)

CODECS: Mapping[str, ShardCodec] = {codec.name: codec for codec in _CODECS}
"""Every format by its name, the default first."""

__all__ = ["CODECS", "ShardCodec"]
