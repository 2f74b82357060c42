"""Object stores: how each is opened, and what its errors mean.

Their libraries (gcsfs, botocore) themselves retry what failed by a server's error, by too many
requests or by a timeout, with growing pauses of half a minute in all.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import fsspec

from schemas.errors import DatasetError, StoreError, UnreadableFileError

MOST_REQUESTS = 32
"""How many requests a store handles at a time; more wait for their turn."""

_SECONDS_TO_CONNECT = 15
_SECONDS_TO_ANSWER = 60
_MOST_ATTEMPTS = 7
_OTHER_NAMES = {"gcs": "gs", "s3a": "s3"}
_FORBIDDEN, _NOT_SATISFIABLE = 403, 416
_DENIED_CODES = ("AccessDenied", "403", "Forbidden")


def open_store(url: str) -> tuple[Any, str]:
    """An fsspec file system, and the path in it.

    Raises `DatasetError` where the library for it is not installed.
    """
    protocol = usual_protocol(url)
    try:
        if protocol not in _STORES:
            return _any_store(url)
        return _store(protocol, os.getpid()), url.partition("://")[2]
    except ImportError as error:
        extra = {"gs": "gcp", "s3": "s3"}.get(protocol)
        remedy = f"; in the project's folder, run: pip install '.[{extra}]'" if extra else ""
        raise DatasetError(f"{url}: {error}{remedy}") from None
    except ValueError as error:
        raise DatasetError(f"{url}: {error}") from None


def usual_protocol(url: str) -> str:
    """The protocol of a URL: of those that go by several names, always the same one."""
    protocol = url.partition("://")[0]
    return _OTHER_NAMES.get(protocol, protocol)


def protocols_of(filesystem: Any) -> tuple[str, ...]:
    """The names of an fsspec file system in URLs, such as `file` and `local`."""
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


# Other processes write to the same folders: listings must not be remembered.


def _any_store(url: str) -> tuple[Any, str]:
    try:
        filesystem, path = fsspec.url_to_fs(url, use_listings_cache=False)
    except TypeError:
        # Some, sftp for one, remember none and take only what is for their servers.
        filesystem, path = fsspec.url_to_fs(url)
    return filesystem, path


def _google_store() -> Any:
    import aiohttp

    # `gcsfs.GCSFileSystem` may be another class, which asks a second API for the kind of each
    # bucket; that takes permissions of its own.
    from gcsfs.core import GCSFileSystem

    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=_SECONDS_TO_CONNECT, sock_read=_SECONDS_TO_ANSWER
    )
    return GCSFileSystem(use_listings_cache=False, requests_timeout=timeout)


def _amazon_store() -> Any:
    from s3fs import S3FileSystem

    config = {
        "connect_timeout": _SECONDS_TO_CONNECT,
        "read_timeout": _SECONDS_TO_ANSWER,
        "max_pool_connections": MOST_REQUESTS,
        "retries": {"mode": "legacy", "total_max_attempts": _MOST_ATTEMPTS},
    }
    # An instance of our own: fsspec would share one that other code may use as well.
    filesystem = S3FileSystem(
        use_listings_cache=False, config_kwargs=config, skip_instance_cache=True
    )
    # botocore retries already; s3fs would repeat each of its retries.
    filesystem.retries = 1
    return filesystem


_STORES: Mapping[str, Callable[[], Any]] = {"gs": _google_store, "s3": _amazon_store}


@functools.cache
def _store(protocol: str, _process: int) -> Any:
    """One for all threads of a process, made once: making one takes a second."""
    return _STORES[protocol]()


def require_bucket(filesystem: Any, path: str, where: str) -> None:
    """Raises `DatasetError` where the bucket of a path is missing or cannot be looked into."""
    with asking(filesystem, path, where):
        try:
            filesystem.ls(path)
        except FileNotFoundError:
            if not _has_bucket(filesystem, path):
                raise


@contextlib.contextmanager
def asking(filesystem: Any, path: str, where: str) -> Iterator[None]:
    """Turns what a store answers into errors that name `where`.

    Raises `UnreadableFileError` for a file that is missing or may not be read. A store that cannot
    be reached, does not accept the credentials or keeps failing says nothing about the file: it
    raises `StoreError`.
    """
    try:
        yield
    except FileNotFoundError:
        cause = "no such file" if _has_bucket(filesystem, path) else f"no bucket {_bucket(path)!r}"
        raise UnreadableFileError.of(where, "missing", cause) from None
    except IsADirectoryError:
        raise UnreadableFileError.of(where, "is_folder", "is a folder, not a file") from None
    except (DatasetError, StoreError):
        raise
    except Exception as error:
        if _is_denied(error):
            cause = "no permission: the store does not let these credentials do it"
            raise UnreadableFileError.of(where, "no_permission", cause) from None
        raise StoreError(
            f"{where}: the store did not answer as it should ({_summary(error)}); check the "
            "connection and the credentials, then run the same command again"
        ) from error


def _has_bucket(filesystem: Any, path: str) -> bool:
    """Whether the bucket of a path exists; assumed where the store cannot be asked."""
    try:
        return exists(filesystem, _bucket(path))
    except Exception:
        return True


def _bucket(path: str) -> str:
    return path.partition("/")[0]


def _is_denied(error: Exception) -> bool:
    """Whether the store knows the credentials and denies the request.

    gcsfs shows this by a code or a text, s3fs by the cause.
    """
    cause = error.__cause__ if isinstance(error, PermissionError) else None
    if cause is not None and _code(cause) not in _DENIED_CODES:
        return False
    return (
        isinstance(error, PermissionError)
        or str(error).startswith("Forbidden")
        or _status(error) == _FORBIDDEN
    )


def exists(filesystem: Any, path: str) -> bool:
    """Whether something is there; where a bucket cannot be asked, s3fs alone would say no."""
    if path == _bucket(path):
        with contextlib.suppress(FileNotFoundError):
            filesystem.ls(path)
            return True
    return bool(filesystem.exists(path))


def read_range(filesystem: Any, path: str, offset: int, length: int | None) -> bytes:
    """`length` bytes from `offset`, or all; fewer only at the end of the file.

    It is one request: for a file without a range, s3fs first asks for the size. An answer that
    breaks off is requested again, which botocore leaves to its caller.
    """
    end = None if length is None else offset + length
    for attempt in range(_MOST_ATTEMPTS):
        try:
            return filesystem.cat_file(path, start=offset, end=end)
        except Exception as error:
            if _is_beyond_the_end(error):
                return b""
            if not _broke_off(error) or attempt + 1 == _MOST_ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def _broke_off(error: Exception) -> bool:
    """Whether an answer broke off, as aiohttp or requests say it; not every store needs them."""
    aiohttp, requests = sys.modules.get("aiohttp"), sys.modules.get("requests")
    return (aiohttp is not None and isinstance(error, aiohttp.ClientPayloadError)) or (
        requests is not None and isinstance(error, requests.exceptions.ChunkedEncodingError)
    )


def _is_beyond_the_end(error: Exception) -> bool:
    """Whether the requested range begins at or after the end of the file."""
    codes = {_code(each) for each in (error, error.__cause__) if each}
    return _status(error) == _NOT_SATISFIABLE or "InvalidRange" in codes


def _code(error: BaseException) -> str:
    """The code of an S3 error; an empty text for any other error."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _status(error: Exception) -> int | None:
    """The HTTP status that botocore, gcsfs or aiohttp attached, None without one."""
    response = getattr(error, "response", None)
    metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
    status = metadata.get("HTTPStatusCode") or getattr(error, "status", None)
    status = status or getattr(error, "code", None)
    return int(str(status)) if str(status).isdigit() else None


def _summary(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
