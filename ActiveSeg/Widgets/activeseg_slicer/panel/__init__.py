"""The panel: the only part of the face that knows Qt.

Written so that PythonQt (in Slicer) and PySide6 (in the tests) behave alike: setters and
``property("x")`` instead of attributes, ``signal.connect(function)`` with functions that take
nothing, and no new attributes on widgets.
"""
