"""The only room that opens files: a folder on a local disk or in an object store."""

from schemas.storage.base import Storage
from schemas.storage.local import TEMPORARY_PREFIX, sync_folder, writing

__all__ = ["TEMPORARY_PREFIX", "Storage", "sync_folder", "writing"]
