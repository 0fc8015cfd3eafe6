"""Where work is done: in this process, in several of this machine, or on many machines.

Whoever has many pieces of work asks `as_they_come` for their results and does not know where they
were made; it asks for nothing but a `concurrent.futures.Executor`.
"""

from activeseg.executors.crew import Crew, as_they_come, far_away, gpu_far_away, working_with
from activeseg.executors.local import local_processes
from activeseg.executors.sharing import Shared, until_seen

__all__ = [
    "Crew",
    "Shared",
    "as_they_come",
    "far_away",
    "gpu_far_away",
    "local_processes",
    "until_seen",
    "working_with",
]
