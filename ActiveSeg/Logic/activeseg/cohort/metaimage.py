"""Whether a MetaImage file (``.mha``, ``.mhd``) is whole, before ITK opens it.

ITK refuses a MetaImage that ends too early, but its library writes its own lines to the terminal
first and then says that the file does not exist; packed pixels that are damaged it accepts.

Layout: the MetaIO documentation (https://itk.org/Wiki/MetaIO/Documentation).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from activeseg.cohort.packed import COPY_ANEW, packed_problem, short

__all__ = ["metaimage_problem"]

_LONGEST_HEADER = 1 << 16

_BYTES = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4,
    "MET_LONG": 4, "MET_ULONG": 4, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8, "MET_FLOAT": 4,
    "MET_DOUBLE": 8,
}  # fmt: skip


def metaimage_problem(path: Path, thorough: bool) -> str | None:
    """What is wrong with a ``.mha`` or ``.mhd`` file, in one phrase; None if nothing is.

    Args:
        path: The file, or the header of a pair.
        thorough: Whether to unpack compressed pixels to their end.

    Raises:
        OSError: If the disk refuses.
    """
    with path.open("rb") as file:
        fields, header_bytes = _read_header(file.read(_LONGEST_HEADER))
    source = fields.get("ElementDataFile")
    if source is None:
        return f"not a MetaImage file, or its header is truncated; {COPY_ANEW}"
    bytes_each = _BYTES.get(fields.get("ElementType", ""))
    if bytes_each is None or source.split()[0] == "LIST" or "%" in source:
        return None  # nothing that can be counted here; ITK decides
    data = path if source == "LOCAL" else path.with_name(source)
    if not data.is_file():
        return f"its pixels are missing; expected them in {source}; {COPY_ANEW}"
    start = header_bytes if source == "LOCAL" else 0
    try:
        sizes = [int(n) for n in fields["DimSize"].split()]
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        packed_bytes = int(fields.get("CompressedDataSize", "0"))
        skipped = max(int(fields.get("HeaderSize", "0")), 0)
    except (KeyError, ValueError):
        return f"its MetaImage header does not give the size of the image; {COPY_ANEW}"
    expected = math.prod(sizes) * channels * bytes_each
    length = data.stat().st_size - start
    if fields.get("CompressedData", "False").lower() not in ("true", "1"):
        return short(length - skipped, expected)
    if packed_bytes <= 0:
        # ITK then reads wrong pixels without an error.
        return "does not say how long its packed pixels are (CompressedDataSize); save it again"
    return short(length, packed_bytes) or (
        packed_problem(data, start, expected, thorough=True) if thorough else None
    )


def _read_header(raw: bytes) -> tuple[Mapping[str, str], int]:
    """The fields as text, and how many bytes the header takes."""
    fields: dict[str, str] = {}
    position = 0
    while "ElementDataFile" not in fields and position < len(raw):
        end = raw.find(b"\n", position)
        if end < 0:
            end = len(raw)
        name, equals, value = raw[position:end].decode("latin-1").partition("=")
        if not equals:
            break  # not a header (any more)
        fields[name.strip()] = value.strip()
        position = end + 1
    return fields, position
