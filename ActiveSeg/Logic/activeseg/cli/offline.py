"""``suggest --to``, ``round --to`` and ``annotate --from``: batches answered in another tool."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from activeseg.cli.output import print_json, progress_of, slices_in_words
from activeseg.errors import AnnotationError

if TYPE_CHECKING:
    from activeseg.project import Batch, Project

__all__ = ["annotate_folder", "check_target", "hand_out"]


def check_target(arguments: Namespace) -> None:
    """Refuse a folder that no batch can be written to, before the work begins."""
    if arguments.to is not None:
        from activeseg.offline import check_target as check

        check(arguments.to)


def hand_out(project: Project, batch: Batch, arguments: Namespace) -> None:
    """Write the batch as a folder, if one was named."""
    if arguments.to is not None:
        from activeseg.offline import write_folder

        write_folder(project, batch, arguments.to, progress_of(arguments))


def annotate_folder(arguments: Namespace) -> int:
    """Accept what was answered in a folder."""
    if arguments.key is not None or arguments.seconds is not None:
        given = arguments.key if arguments.key is not None else "--seconds"
        raise AnnotationError(
            "does not go with --from, which takes keys from the folder and seconds from its "
            "slices.csv; leave it out",
            given,
        )
    from activeseg.offline import take_in
    from activeseg.project import Project

    taken = take_in(Project.open(arguments.project), arguments.source, arguments.author)
    parts = {"accepted": taken.accepted, "unchanged": taken.unchanged, "open": taken.open}
    if arguments.json:
        print_json({name: [str(key) for key in keys] for name, keys in parts.items()})
        return 0
    print(f"accepted {slices_in_words(len(taken.accepted))}; still open: {len(taken.open)}")
    if taken.unchanged:
        print(f"left alone, accepted before: {', '.join(map(str, taken.unchanged))}")
    if taken.open:
        print(f"open: {', '.join(map(str, taken.open))}")
        print("a mask that is right as it is counts once its seconds stand in slices.csv")
    return 0
