"""What a NIfTI header says that ITK passes over in silence.

ITK reads a truncated NIfTI file without complaint (what is missing becomes 0), turns NaN and
infinite voxels into 0, replaces a voxel size of 0 or NaN by 1, and falls back to the qform where
the sform is sheared. This module reads the file itself and refuses these before ITK opens it.

Layout: NIfTI-1 (R. W. Cox et al., nifti1.h, 2004).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from activeseg.cohort.packed import COPY_ANEW, packed_problem, short

__all__ = ["nifti_problem"]

_HEADER = 348
_HEADER_2 = 540

# Where the fields lie: byte offset and struct code.
_DIM = (40, "8h")
_DATATYPE = (70, "h")
_BITPIX = (72, "h")
_PIXDIM = (76, "8f")
_VOX_OFFSET = (108, "f")
_SFORM_CODE = (254, "h")
_SROW = (280, "12f")
_MAGIC = (344, "4s")

_FLOATS = {16: "f4", 64: "f8"}
_CHUNK = 1 << 20

# sform and pixdim must tell one story within this part of the voxel size.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class _Header:
    """The fields that matter here."""

    spacing: tuple[float, ...]
    affine: tuple[float, ...] | None
    start: int
    bytes_expected: int
    floats: np.dtype[np.floating[Any]] | None


def nifti_problem(path: Path, thorough: bool) -> str | None:
    """What is wrong with a ``.nii`` or ``.nii.gz`` file, in one phrase; None if nothing is.

    Args:
        path: The file.
        thorough: Whether to read all pixels: to compare the checksum of a packed file, and to
            find NaN and infinity. Otherwise only the length is compared.

    Raises:
        OSError: If the disk refuses.
    """
    packed = path.name.lower().endswith(".gz")
    with path.open("rb") as file:
        start = file.read(_HEADER * 4)  # a packed header is hardly longer than the header
    if packed:
        try:
            start = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(start)
        except zlib.error as error:
            return f"not a gzip file, or damaged ({error}); {COPY_ANEW}"
    header = _read_header(start)
    if isinstance(header, str):
        return header
    problem = _geometry_problem(header) or (
        packed_problem(path, 0, header.bytes_expected, thorough)
        if packed
        else short(path.stat().st_size, header.bytes_expected)
    )
    if problem is None and thorough and header.floats is not None:
        return _unreal_problem(path, packed, header)
    return problem


def _read_header(raw: bytes) -> _Header | str:
    """The header among a file's first bytes, or what is wrong with it."""
    if len(raw) < _HEADER:
        return (
            f"the file is truncated or not NIfTI: {len(raw)} of {_HEADER} bytes of its header; "
            f"{COPY_ANEW}"
        )
    sizes = {struct.unpack_from(order + "i", raw)[0]: order for order in "<>"}
    if _HEADER_2 in sizes:
        return "is a NIfTI-2 file; expected NIfTI-1 (convert it, or save it as .nrrd)"
    order = sizes.get(_HEADER)
    if order is None:
        return f"not a NIfTI file; {COPY_ANEW}"

    def field(where: tuple[int, str]) -> tuple[float, ...]:
        return struct.unpack_from(order + where[1], raw, where[0])

    if struct.unpack_from(_MAGIC[1], raw, _MAGIC[0])[0] != b"n+1\0":
        return (
            "not a NIfTI file that holds both its header and its pixels; expected a .nii or .nii.gz"
        )
    count, *lengths = (int(n) for n in field(_DIM))
    if not 1 <= count <= 7 or min(lengths[:count]) < 1:
        found = f"{count} axes of the lengths {lengths[: max(count, 0)]}"
        return f"its NIfTI header gives {found}; {COPY_ANEW}"
    offset, bits = field(_VOX_OFFSET)[0], field(_BITPIX)[0]
    if not math.isfinite(offset):
        return f"its NIfTI header does not say where the pixels begin; {COPY_ANEW}"
    start = max(int(offset), _HEADER)
    floats = _FLOATS.get(int(field(_DATATYPE)[0]))
    return _Header(
        spacing=field(_PIXDIM)[1 : min(count, 3) + 1],
        affine=field(_SROW) if field(_SFORM_CODE)[0] > 0 else None,
        start=start,
        bytes_expected=start + math.prod(lengths[:count]) * int(bits) // 8,
        floats=None if floats is None else np.dtype(order + floats),
    )


def _geometry_problem(header: _Header) -> str | None:
    """Whether the voxel size, or the matrix that repeats it, cannot be trusted."""
    if any(not math.isfinite(mm) or mm <= 0 for mm in header.spacing):
        return f"the voxel spacing is {_times(header.spacing)} mm; expected positive numbers"
    if header.affine is None or len(header.spacing) < 3:
        return None
    columns = np.asarray(header.affine, dtype=np.float64).reshape(3, 4)[:, :3]
    lengths = np.linalg.norm(columns, axis=0)
    if not np.allclose(lengths, header.spacing, rtol=_TOLERANCE, atol=0):
        return (
            f"its header gives two voxel spacings, {_times(header.spacing)} mm (pixdim) and "
            f"{_times(tuple(lengths))} mm (sform); save it again with the right one"
        )
    cosines = columns / lengths
    if not np.allclose(cosines.T @ cosines, np.eye(3), rtol=0, atol=_TOLERANCE):
        return "its axes are not at right angles (sheared sform); resample it first"
    return None


def _unreal_problem(path: Path, packed: bool, header: _Header) -> str | None:
    """Whether voxels are NaN or infinite; the file is known to be whole."""
    wanted = header.bytes_expected - header.start
    voxels, unreal = 0, 0
    with gzip.open(path, "rb") if packed else path.open("rb") as file:
        file.seek(header.start)
        while wanted > 0 and (data := file.read(min(wanted, _CHUNK))):
            wanted -= len(data)
            numbers = np.frombuffer(data, dtype=header.floats)
            voxels += numbers.size
            unreal += numbers.size - int(np.isfinite(numbers).sum())
    if unreal == 0:
        return None
    return f"{unreal} of {voxels} voxels are NaN or infinite; expected numbers"


def _times(numbers: tuple[float, ...]) -> str:
    """Numbers as ``a x b x c``."""
    return " x ".join(f"{n:g}" for n in numbers)
