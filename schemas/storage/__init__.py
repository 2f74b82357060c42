"""The only place where files are opened: a folder on a local disk or in an object store."""

from schemas.storage.base import TEMPORARY_PREFIX, Storage, sync_folder, writing

__all__ = ["TEMPORARY_PREFIX", "Storage", "sync_folder", "writing"]
