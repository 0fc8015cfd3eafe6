"""``phantom``: a synthetic cohort with reference labels."""

from __future__ import annotations

from argparse import Namespace

from activeseg.cli.output import progress_of

__all__ = ["phantom"]


def phantom(arguments: Namespace) -> int:
    """Write the cohort."""
    from activeseg.phantom import write_phantom

    write_phantom(
        arguments.folder,
        volumes=arguments.volumes,
        seed=arguments.seed,
        modality=arguments.modality,
        progress=progress_of(arguments),
    )
    print(f"wrote {arguments.volumes} volumes to {arguments.folder}")
    return 0
