"""The few names of Slicer and Qt that the face uses, and no others.

Modelled on Slicer 5.12's `ScriptedLoadableModule` and PythonQt. A name or a Qt property that is
not written here is refused, and so is a new attribute on a widget (PySide would take
``widget.enabled = False`` silently and do nothing): a mistake in the face is an error here.
"""

from __future__ import annotations

import unittest
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

PROPERTIES = {"text"}


class Signal:
    def __init__(self) -> None:
        self._slots: list[Callable[[], object]] = []

    def connect(self, slot: Callable[[], object]) -> None:
        self._slots.append(slot)

    def emit(self) -> None:
        for slot in self._slots:
            slot()


class Widget:
    """Keeps its state behind setters; takes no attribute after it was made."""

    def __init__(self) -> None:
        self.__dict__["_state"] = {"enabled": True, "text": ""}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} takes no attribute {name}")

    def setEnabled(self, enabled: bool) -> None:
        self._state["enabled"] = enabled

    def isEnabled(self) -> bool:
        return self._state["enabled"]

    def property(self, name: str) -> object:
        if name not in PROPERTIES:
            raise KeyError(f"no property {name}")
        return self._state[name]


class QLineEdit(Widget):
    def setPlaceholderText(self, text: str) -> None:
        self._state["placeholder"] = text

    def setText(self, text: str) -> None:
        self._state["text"] = text


class QPushButton(Widget):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.__dict__["clicked"] = Signal()
        self._state["text"] = text

    def click(self) -> None:
        if self.isEnabled():
            self.clicked.emit()


class QPlainTextEdit(Widget):
    def setReadOnly(self, read_only: bool) -> None:
        self._state["read_only"] = read_only

    def setPlainText(self, text: str) -> None:
        self._state["plain"] = text

    def toPlainText(self) -> str:
        return self._state.get("plain", "")


class QTimer(Widget):
    def __init__(self) -> None:
        super().__init__()
        self.__dict__["timeout"] = Signal()

    def setInterval(self, milliseconds: int) -> None:
        self._state["interval"] = milliseconds

    def start(self) -> None:
        self._state["active"] = True

    def stop(self) -> None:
        self._state["active"] = False

    def isActive(self) -> bool:
        return self._state.get("active", False)


class QHBoxLayout(Widget):
    def addWidget(self, widget: Widget) -> None:
        self._state.setdefault("items", []).append(widget)


class QVBoxLayout(QHBoxLayout):
    def addLayout(self, layout: QHBoxLayout) -> None:
        self._state.setdefault("items", []).append(layout)


class QFileDialog:
    answer = ""

    @classmethod
    def getExistingDirectory(cls, parent: None, caption: str, folder: str) -> str:
        return cls.answer


class ScriptedLoadableModule:
    def __init__(self, parent: SimpleNamespace) -> None:
        self.parent = parent


class ScriptedLoadableModuleWidget:
    reloaded = 0

    def __init__(self, parent: None = None) -> None:
        self.layout = QVBoxLayout()

    def setup(self) -> None:
        pass

    def onReload(self) -> None:
        type(self).reloaded += 1


class ScriptedLoadableModuleLogic:
    def __init__(self, parent: None = None) -> None:
        pass


class ScriptedLoadableModuleTest(unittest.TestCase):
    def runTest(self) -> None:
        raise NotImplementedError


def module(name: str, **members: object) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(members)
    return made


def modules() -> dict[str, ModuleType]:
    """What `import qt` and `import slicer` find, for `sys.modules`."""
    widgets = (QFileDialog, QHBoxLayout, QLineEdit, QPlainTextEdit, QPushButton, QTimer)
    bases = (
        ScriptedLoadableModule,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
        ScriptedLoadableModuleWidget,
    )
    parts = {
        "i18n": module("slicer.i18n", tr=str),
        "ScriptedLoadableModule": module(
            "slicer.ScriptedLoadableModule", **{base.__name__: base for base in bases}
        ),
    }
    return {
        "qt": module("qt", **{widget.__name__: widget for widget in widgets}),
        "slicer": module("slicer", __path__=[], **parts),
        **{f"slicer.{name}": part for name, part in parts.items()},
    }
