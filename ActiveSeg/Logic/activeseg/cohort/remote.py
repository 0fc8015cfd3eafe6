"""Files at an address: whatever fsspec can list and read (https://filesystem-spec.readthedocs.io).

fsspec is loaded when an address is met, and the package of a protocol (s3fs, gcsfs, aiohttp ...)
by fsspec. Credentials are those that such a package finds by itself; none is kept here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from activeseg.errors import ActiveSegError, CohortError

__all__ = ["Facts", "Remote", "is_address"]

# Two letters at least: C:/ is a drive.
_ADDRESS = re.compile(r"[A-Za-z][\w+.:-]+://")
_EXPECTED = "expected an address such as s3://bucket/folder, gs://, abfs://, https:// or file://"
_WEB = ("http://", "https://")
_GONE = (404, 410)
_FORBIDDEN = 403
_PATIENCE_S = 60.0

# What tells one version of a file from another, in the words of different file systems.
_VERSION = (
    "ETag", "etag", "LastModified", "Last-Modified", "last_modified", "mtime", "updated",
    "modify", "modificationTime", "created", "generation", "VersionId", "Content-MD5", "md5Hash",
    "Digest", "blob_id", "sha",
)  # fmt: skip


def is_address(text: str) -> bool:
    """Whether a word is an address, not a path."""
    return _ADDRESS.match(text) is not None


@dataclass(frozen=True)
class Facts:
    """What a file system says of one entry.

    Attributes:
        folder: Whether it is one.
        size: In bytes; None where nobody says.
        version: Another one where the content is another, as far as the file system tells.
    """

    folder: bool
    size: int | None
    version: str


@dataclass(frozen=True)
class Remote:
    """A folder at an address.

    Attributes:
        url: The address, without a slash at its end.
    """

    url: str

    @classmethod
    def at(cls, url: str) -> Remote:
        """The folder at an address that somebody typed.

        Raises:
            CohortError: If there is no such protocol, its package is not installed, or the address
                names no folder, goes through another one, or holds a password or a query.
        """
        web = url.startswith(_WEB)
        if "::" in url:
            raise CohortError(f"goes through another address ('::'); {_EXPECTED}", url)
        if web and ("?" in url or "#" in url):
            raise CohortError("has a query; expected the plain address of a folder or list", url)
        try:
            secret = urlsplit(url).password
        except ValueError as error:
            raise CohortError(f"is no address ({error}); {_EXPECTED}", url) from error
        if secret is not None:
            raise CohortError(
                "holds a password, which a project would keep for all to read; leave it out and "
                "give it in the settings of fsspec",
                url.replace(secret, "***"),
            )
        protocol, _, rest = url.rstrip("/").partition("://")
        if not rest:
            raise CohortError(f"names no folder; {_EXPECTED}", url)
        if protocol in ("file", "local"):
            rest = _opened(url)[1]  # absolute
        elif web:
            rest = quote(rest, safe="/:%~!$&'()*+,;=@[]")
        found = cls(f"{protocol}://{rest.rstrip('/')}")
        with _Telling(found.url):
            _opened(found.url)
        return found

    def address(self, relative: str) -> str:
        """The address of a file or folder below; of the folder itself for an empty name."""
        name = quote(relative) if self.url.startswith(_WEB) else relative
        return f"{self.url}/{name}" if relative else self.url

    def facts(self, relative: str, perhaps: bool = False) -> Facts | None:
        """What is known of an entry now; None if there is none.

        Args:
            relative: Its name below the folder.
            perhaps: Whether it need not be there. Then one that is forbidden counts as none: who
                may not list a bucket is forbidden what it does not hold.

        Raises:
            CohortError: If nobody can be asked.
        """
        address = self.address(relative)
        with _Telling(address):
            files, path = _opened(address)
            files.invalidate_cache()  # what a listing said before may be old
            try:
                found: Mapping[str, Any] = files.info(path)
            except (FileNotFoundError, PermissionError) as error:
                if _is_missing(error) or (perhaps and _is_forbidden(error)):
                    return None
                raise
        said = [f"{name} {found[name]}" for name in _VERSION if found.get(name) is not None]
        size = found.get("size")
        digest = hashlib.sha256("\n".join([f"size {size}", *said]).encode())
        return Facts(
            found.get("type") == "directory",
            None if size is None else int(size),
            digest.hexdigest()[:16],
        )

    def entries(self, relative: str) -> dict[str, bool] | None:
        """The names in a folder, and whether each is a folder; None if there is no such folder.

        Raises:
            CohortError: If it cannot be listed.
        """
        address = self.address(relative)
        with _Telling(address):
            files, path = _opened(address)
            files.invalidate_cache()
            try:
                found: list[Mapping[str, Any]] = files.ls(path, detail=True)
            except FileNotFoundError as error:
                if _is_missing(error):
                    return None
                raise
            except NotADirectoryError:
                return None
        above = f"{path.rstrip('/')}/"
        names: dict[str, bool] = {}
        for entry in found:
            whole = str(entry["name"]).rstrip("/")
            name = whole.removeprefix(above)
            if name == whole:
                continue  # the folder itself, or a link to another place
            if self.url.startswith(_WEB):
                name = unquote(name)
            if name and name not in (".", "..") and "/" not in name and "\\" not in name:
                names[name] = entry.get("type") == "directory"
        return names

    def fetch(self, relative: str, file: Path) -> None:
        """Write a file's content to a file of this machine.

        Raises:
            CohortError: If it is not there or does not come to its end; `file` may hold a part.
        """
        address = self.address(relative)
        with _Telling(address):
            files, path = _opened(address)
            files.get_file(path, str(file))


class _Telling:
    """Tells in one line what a file system far away, or the way to it, complains about.

    The packages of protocols raise errors of their own besides `OSError`, and which, only they
    know. Python's own others (`TypeError`, `KeyError` ...) are bugs and stay what they are.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, Exception) or isinstance(error, ActiveSegError):
            return
        if isinstance(error, OSError) or type(error).__module__ != "builtins":
            cause = error if error.__cause__ is None else error.__cause__
            raise CohortError(
                f"cannot be reached or read ({_line(cause)})", self._address
            ) from error


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and the address in its own words.

    Raises:
        CohortError: If there is no such protocol, or its package is not installed.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise CohortError(
            "an address needs fsspec, which is not installed; pip install fsspec", address
        ) from error
    options: dict[str, Any] = {}
    try:
        if address.startswith(_WEB):
            from aiohttp import ClientTimeout

            # Its own limit of five minutes is for a whole file, and volumes are large.
            patience = ClientTimeout(total=None, sock_connect=_PATIENCE_S, sock_read=_PATIENCE_S)
            options["timeout"] = patience
        files, path = url_to_fs(address, **options)
    except ImportError as error:
        raise CohortError(
            f"the package of this protocol is not installed ({_line(error)})", address
        ) from error
    except ValueError as error:
        raise CohortError(f"cannot be opened ({_line(error)}); {_EXPECTED}", address) from error
    return files, str(path)


def _is_missing(error: OSError) -> bool:
    """Whether a file is not there, and not merely out of reach, which fsspec calls the same."""
    cause = error.__cause__
    gone = isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) in _GONE
    return isinstance(error, FileNotFoundError) and (cause is None or gone)


def _is_forbidden(error: OSError) -> bool:
    """Whether somebody is there who refuses."""
    return isinstance(error, PermissionError) or (
        getattr(error.__cause__, "status", None) == _FORBIDDEN
    )


def _line(error: BaseException) -> str:
    """An error in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
