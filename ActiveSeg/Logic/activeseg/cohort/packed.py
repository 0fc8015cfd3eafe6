"""Whether the packed pixels of a file are whole.

ITK's readers stop unpacking, or go on with zeros, where a packed file is truncated or damaged;
most do so without a word.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

__all__ = ["COPY_ANEW", "packed_problem", "short"]

COPY_ANEW = "copy it anew, or leave it out"
"""What to do where a file is damaged."""

# Zeros pack a thousand to one, so a small piece keeps what is unpacked at once below 64 MiB.
_CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"
_EITHER = zlib.MAX_WBITS | 32  # zlib or gzip, as the file itself says


def packed_problem(path: Path, start: int, expected: int, thorough: bool) -> str | None:
    """What is wrong with gzip or zlib data, in one phrase; None if nothing is.

    Args:
        path: The file; its packed data reach to its end.
        start: Where in the file they begin, in bytes.
        expected: At least so many bytes must come out.
        thorough: Whether to unpack everything, which compares the checksum. Otherwise a gzip
            file is believed whose own record of its length is as expected.

    Raises:
        OSError: If the disk refuses.
    """
    if not thorough and _recorded_length(path, start) == expected % 2**32:
        return None
    unpacked = 0
    unpacker = zlib.decompressobj(wbits=_EITHER)
    rest = b""
    with path.open("rb") as file:
        file.seek(start)
        while data := rest + file.read(_CHUNK):
            if unpacker.eof:
                if not data.startswith(_GZIP):
                    break  # padding
                unpacker = zlib.decompressobj(wbits=_EITHER)  # gzip may hold several members
            try:
                unpacked += len(unpacker.decompress(data))
            except zlib.error as error:
                return f"the file is damaged ({error}); {COPY_ANEW}"
            rest = unpacker.unused_data
    if not unpacker.eof:
        return f"the file is truncated: its packed data stop after {unpacked} bytes; {COPY_ANEW}"
    return short(unpacked, expected)


def short(found: int, expected: int) -> str | None:
    """The phrase for a file that ends too early; None if it does not."""
    if found >= expected:
        return None
    return f"the file is truncated: {max(found, 0)} of {expected} bytes; {COPY_ANEW}"


def _recorded_length(path: Path, start: int) -> int | None:
    """The unpacked length modulo 2^32 on which a gzip file ends (RFC 1952); None for others.

    A truncated file ends on other bytes, and one of several members records the last one alone.
    """
    with path.open("rb") as file:
        file.seek(start)
        if file.read(2) != _GZIP:
            return None
        file.seek(-4, 2)
        return int(struct.unpack("<I", file.read(4))[0])
