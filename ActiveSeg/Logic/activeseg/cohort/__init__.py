"""The images, their geometry and their reference labels.

Importing this package does not load SimpleITK; reading a file does.
"""

from activeseg.cohort.cohort import Cohort, CohortVolume, Structure
from activeseg.cohort.geometry import Geometry, picture, picture_spacing, take_slice
from activeseg.cohort.images import read_image_file, write_image, write_label
from activeseg.cohort.opening import open_cohort

__all__ = [
    "Cohort",
    "CohortVolume",
    "Geometry",
    "Structure",
    "open_cohort",
    "picture",
    "picture_spacing",
    "read_image_file",
    "take_slice",
    "write_image",
    "write_label",
]
