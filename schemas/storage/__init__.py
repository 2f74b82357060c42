"""A folder on a local disk or in an object store: the only code that opens files of a dataset."""

from schemas.storage.base import Storage
from schemas.storage.local import TEMPORARY_PREFIX, sync_folder, writing

__all__ = ["TEMPORARY_PREFIX", "Storage", "sync_folder", "writing"]
