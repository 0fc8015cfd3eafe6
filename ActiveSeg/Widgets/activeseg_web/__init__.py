"""ActiveSeg's workbench in a browser: one door, and a desk process for each person behind it.

A desk keeps the state of one person's page, and trame keeps one state a process, so each person
gets a process of their own. `door` is the one address that a browser talks to; it starts desks,
passes on what is meant for them and ends them. Importing this package loads nothing else.
"""
