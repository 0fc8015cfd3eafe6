"""Whether the packed pixels of an NRRD file (``.nrrd``, ``.nhdr``) are whole.

The NRRD library refuses unpacked pixels that end too early, and stops unpacking where it has
enough, without comparing the checksum.

Layout: "Definition of NRRD File Format" (https://teem.sourceforge.net/nrrd/format.html).
"""

from __future__ import annotations

import math
from pathlib import Path

from activeseg.cohort.packed import COPY_ANEW, packed_problem

__all__ = ["nrrd_problem"]

_LONGEST_HEADER = 1 << 20  # Slicer's segmentations describe every segment in it

_BYTES = {
    **dict.fromkeys(("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8",
                     "uint8_t"), 1),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t",
                     "ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), 2),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32",
                     "uint32_t", "float"), 4),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long",
                     "signed long long int", "int64", "int64_t", "ulonglong",
                     "unsigned long long", "unsigned long long int", "uint64", "uint64_t",
                     "double"), 8),
}  # fmt: skip


def nrrd_problem(path: Path, thorough: bool) -> str | None:
    """What is wrong with a ``.nrrd`` or ``.nhdr`` file, in one phrase; None if nothing is.

    Args:
        path: The file, or the header of a pair.
        thorough: Whether to unpack packed pixels to their end and compare the checksum.

    Raises:
        OSError: If the disk refuses.
    """
    with path.open("rb") as file:
        fields, header_bytes = _read_header(file.read(_LONGEST_HEADER))
    if fields is None:
        return f"not an NRRD file; {COPY_ANEW}"
    source = fields.get("data file", fields.get("datafile"))
    bytes_each = _BYTES.get(fields.get("type", ""))
    sizes = fields.get("sizes", "").split()
    counted = bytes_each is not None and all(size.isdigit() for size in sizes)
    skipping = "line skip" in fields or "byte skip" in fields
    if fields.get("encoding") not in ("gzip", "gz") or not counted or skipping:
        return None  # nothing that can be counted here; the library decides
    data = path if source is None else path.parent / source
    if not data.is_file():
        if source and " " in source:
            return None
        return f"its pixels are missing; expected {source}; {COPY_ANEW}"
    expected = math.prod(map(int, sizes)) * (bytes_each or 0)
    return packed_problem(data, 0 if source else header_bytes, expected, thorough)


def _read_header(raw: bytes) -> tuple[dict[str, str] | None, int]:
    """The fields as text (None if it is no header), and how many bytes the header takes."""
    if not raw.startswith(b"NRRD"):
        return None, 0
    fields: dict[str, str] = {}
    position = 0
    while position < len(raw):
        end = raw.find(b"\n", position)
        end = len(raw) if end < 0 else end
        line = raw[position:end].decode("latin-1").strip()
        position = end + 1
        if not line:
            break  # the pixels follow
        name, colon, value = line.partition(": ")
        if colon and not line.startswith("#"):
            fields[name.strip()] = value.strip()
    return fields, position
