"""The slices of a new cohort to annotate in one sitting, before any label: ``activeseg select``.

::

    request = WorklistRequest(Path("cohort"), minutes=20)
    worklist = choose_worklist(request, progress)
    write_worklist(worklist, Path("worklist.csv"), progress)

`choice` chooses and loads torch, `files` writes.
"""
