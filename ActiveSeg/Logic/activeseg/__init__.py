"""ActiveSeg's engine: which slice of a cohort to annotate next, and why.

Importing this package loads neither torch nor scikit-learn nor SimpleITK; each command loads
what it needs when it runs. The floors of the package are listed in ``docs/architecture.md``.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
