"""`qt`, `ctk` and the application's part of `slicer`, strict, on PySide6 and slicer-core.

The widgets are real ones (off screen), loaded from the real ``.ui``, and the scene is Slicer's
own. What differs between PythonQt, which Slicer runs, and PySide6 is refused here, so that code
which passes works on both:

- a new attribute on a widget (PySide6 would take ``button.enabled = False`` and do nothing),
- reading a property as an attribute (a value in PythonQt, a method in PySide6),
- ``connect("clicked(bool)", f)``, and slots with optional parameters, which PythonQt and PySide6
  fill differently,
- every name that is not written here.
"""

from __future__ import annotations

import dis
import inspect
import os
import sys
import typing
import unittest
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import slicer.util
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from vtkmodules.vtkCommonCore import vtkCommand


@cache
def application() -> QtWidgets.QApplication:
    """The one Qt application of this process, with a plain font and style."""
    app = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["shim"])
    app.setStyle("Fusion")
    app.setFont(QtGui.QFont("DejaVu Sans", 9))
    return app


class Signal:
    """A signal that is connected to functions and to nothing else."""

    def __init__(self, bound: QtCore.SignalInstance) -> None:
        self._bound = bound

    def connect(self, slot: Callable[..., object]) -> None:
        if not callable(slot):
            raise TypeError("connect takes a function; connect('signal()', f) is PythonQt alone")
        for parameter in inspect.signature(slot).parameters.values():
            if parameter.default is not parameter.empty or parameter.kind in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                raise TypeError(f"{slot}: a signal's values would be taken for '{parameter.name}'")
        self._bound.connect(slot)

    def disconnect(self, slot: Callable[..., object]) -> None:
        self._bound.disconnect(slot)

    def emit(self, *values: object) -> None:
        self._bound.emit(*values)


@cache
def properties(kind: type) -> frozenset[str]:
    """The names of a class's Qt properties."""
    meta = kind.staticMetaObject
    return frozenset(meta.property(k).name() for k in range(meta.propertyCount()))


@cache
def attributes(code: CodeType) -> frozenset[tuple[int, str]]:
    """Where a function's instructions read an attribute, and which."""
    return frozenset(
        (each.offset, str(each.argval))
        for each in dis.get_instructions(code)
        if each.opname in ("LOAD_ATTR", "LOAD_METHOD")
    )


class Strict:
    """Mixed into Qt's classes: refuses what PythonQt and PySide6 take differently."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} = ... is not Qt's; use its setter")

    def __getattribute__(self, name: str) -> object:
        frame = sys._getframe(1)
        # Qt too looks its own virtual functions up here, such as sizeHint.
        written = (frame.f_lasti, name) in attributes(frame.f_code)
        if written and name in properties(type(self)):
            raise AttributeError(
                f"{name}: a value in PythonQt, a method in PySide6; use property('{name}')"
            )
        found = super().__getattribute__(name)
        if isinstance(found, QtCore.SignalInstance):
            return Signal(found)
        if name == "connect":
            raise AttributeError("connect('signal()', f) is PythonQt alone; use signal.connect(f)")
        return found


def strict(base: type) -> type:
    return type(base.__name__, (Strict, base), {})


def connected(widget: QtCore.QObject, name: str) -> QtCore.SignalInstance:
    """The real signal, for tests that emit it."""
    return typing.cast("QtCore.SignalInstance", object.__getattribute__(widget, name))


HEADER = 24


class ctkCollapsibleButton(QtWidgets.QWidget):
    """Looks and folds like CTK's: a header with a triangle, the content below it."""

    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        # The layout of the .ui fills what the header leaves.
        super().setContentsMargins(0, HEADER, 0, 0)

    def _read_text(self) -> str:
        return self.__dict__.get("_text", "")

    def _write_text(self, text: str) -> None:
        self.__dict__["_text"] = text
        self.update()

    def _read_collapsed(self) -> bool:
        return self.__dict__.get("_collapsed", False)

    def _write_collapsed(self, collapsed: bool) -> None:
        self.__dict__["_collapsed"] = collapsed
        self.setMaximumHeight(HEADER if collapsed else 16777215)
        connected(self, "contentsCollapsed").emit(collapsed)
        self.update()

    text = QtCore.Property(str, _read_text, _write_text)
    collapsed = QtCore.Property(bool, _read_collapsed, _write_collapsed)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        if event.position().y() < HEADER:
            self._write_collapsed(not self._read_collapsed())

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        header = QtCore.QRect(0, 0, self.property("width"), HEADER - 2)
        painter.fillRect(header, self.property("palette").color(QtGui.QPalette.Button).darker(106))
        sign = "▸" if self._read_collapsed() else "▾"
        painter.drawText(
            header.adjusted(6, 0, 0, 0), QtCore.Qt.AlignVCenter, f"{sign}  {self._read_text()}"
        )
        painter.end()


class _Editor(Strict, QtWidgets.QFrame):
    """`qMRMLSegmentEditorWidget`: takes its own calls, writes them down, refuses the others."""

    CALLS = (
        "installKeyboardShortcuts",
        "removeViewObservations",
        "saveStateForUndo",
        "setActiveEffect",
        "setActiveEffectByName",
        "setAutoShowSourceVolumeNode",
        "setCurrentSegmentID",
        "setMRMLScene",
        "setMRMLSegmentEditorNode",
        "setMaximumNumberOfUndoStates",
        "setSegmentationNode",
        "setSegmentationNodeSelectorVisible",
        "setSourceVolumeNode",
        "setSourceVolumeNodeSelectorVisible",
        "setSwitchToSegmentationsButtonVisible",
        "setUndoEnabled",
        "setupViewObservations",
        "turnOffLightboxes",
        "uninstallKeyboardShortcuts",
        "updateWidgetFromMRML",
    )

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.__dict__["calls"] = []
        self.setMinimumHeight(110)
        self.setFrameShape(QtWidgets.QFrame.StyledPanel)

    def __getattribute__(self, name: str) -> object:
        if name in _Editor.CALLS:
            calls = object.__getattribute__(self, "__dict__")["calls"]
            return lambda *arguments: calls.append((name, *arguments))
        return super().__getattribute__(name)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        area = QtCore.QRect(0, 0, self.property("width"), self.property("height"))
        painter.setPen(QtGui.QColor(140, 140, 140))
        painter.drawText(area, QtCore.Qt.AlignCenter, "Slicer's Segment Editor")
        painter.end()


_Editor.__name__ = "qMRMLSegmentEditorWidget"

_WIDGETS = (
    "QCheckBox",
    "QComboBox",
    "QDoubleSpinBox",
    "QFrame",
    "QLabel",
    "QLineEdit",
    "QListWidget",
    "QMainWindow",
    "QProgressBar",
    "QPushButton",
    "QRadioButton",
    "QTableView",
    "QTableWidget",
    "QToolButton",
    "QWidget",
)
_OBJECTS = {
    "QHBoxLayout": QtWidgets.QHBoxLayout,
    "QShortcut": QtGui.QShortcut,
    "QSortFilterProxyModel": QtCore.QSortFilterProxyModel,
    "QStandardItemModel": QtGui.QStandardItemModel,
    "QTimer": QtCore.QTimer,
    "QVBoxLayout": QtWidgets.QVBoxLayout,
}
# Values and lists of constants: PythonQt and PySide6 agree on them.
_PLAIN = {
    "QAbstractItemView": QtWidgets.QAbstractItemView,
    "QBrush": QtGui.QBrush,
    "QColor": QtGui.QColor,
    "QCursor": QtGui.QCursor,
    "QFont": QtGui.QFont,
    "QHeaderView": QtWidgets.QHeaderView,
    "QIcon": QtGui.QIcon,
    "QKeySequence": QtGui.QKeySequence,
    "QListWidgetItem": QtWidgets.QListWidgetItem,
    "QPainter": QtGui.QPainter,
    "QPalette": QtGui.QPalette,
    "QPixmap": QtGui.QPixmap,
    "QStandardItem": QtGui.QStandardItem,
    "QTableWidgetItem": QtWidgets.QTableWidgetItem,
    "Qt": QtCore.Qt,
}


class Dialogs:
    """What the user would answer; set by tests."""

    folder = ""
    file = ""
    colour = QtGui.QColor()
    consent = True


class QFileDialog:
    @staticmethod
    def getExistingDirectory(parent: object, caption: str, folder: str) -> str:
        return Dialogs.folder

    @staticmethod
    def getOpenFileName(parent: object, caption: str, folder: str, kinds: str) -> str:
        return Dialogs.file  # a str in PythonQt


class QColorDialog:
    @staticmethod
    def getColor(initial: QtGui.QColor, parent: object, title: str) -> QtGui.QColor:
        return Dialogs.colour


def module(name: str, **members: object) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(members)
    return made


qt = module(
    "qt",
    **{name: strict(getattr(QtWidgets, name)) for name in _WIDGETS},
    **{name: strict(base) for name, base in _OBJECTS.items()},
    **_PLAIN,
    QFileDialog=QFileDialog,
    QColorDialog=QColorDialog,
)
ctk = module("ctk", ctkCollapsibleButton=strict(ctkCollapsibleButton))


class Loader(QtUiTools.QUiLoader):
    """Makes the strict widgets, and nothing that is not known here."""

    def createWidget(self, name: str, parent: QtWidgets.QWidget, called: str) -> QtWidgets.QWidget:
        known = vars(qt) | vars(ctk) | {"qMRMLSegmentEditorWidget": _Editor}
        if name not in known:
            raise AttributeError(f"the .ui has a {name}, which is not known here")
        made = known[name](parent)
        made.setObjectName(called)
        return made


def load_ui(path: str) -> QtWidgets.QWidget:
    """`slicer.util.loadUI`."""
    if not Path(path).is_file():
        raise RuntimeError(f"Could not load UI file: file not found {path}")
    file = QtCore.QFile(str(path))
    file.open(QtCore.QIODevice.ReadOnly)
    widget = Loader().load(file)
    file.close()
    if widget is None:
        raise RuntimeError(f"Could not load UI file: {path}")
    return widget


def child_widgets(widget: QtWidgets.QWidget) -> SimpleNamespace:
    """`slicer.util.childWidgetVariables`: the named widgets below, as attributes."""
    found = [widget, *widget.findChildren(QtWidgets.QWidget)]
    return SimpleNamespace(
        **{
            child.property("objectName"): child
            for child in found
            if child.property("objectName") and not child.property("objectName").startswith("qt_")
        }
    )


class Choice:
    def __init__(self, choices: list[str]) -> None:
        self.choices = choices


class WithinRange:
    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum


# How each kind of widget carries a value of a type: property, signal.
_CARRIERS = {
    ("QLineEdit", str): ("text", "textChanged"),
    ("QDoubleSpinBox", float): ("value", "valueChanged"),
    ("QCheckBox", bool): ("checked", "stateChanged"),
    ("QComboBox", str): ("currentIndex", "currentIndexChanged"),
}


class _Bound:
    """A parameter in the node, with its limits; what the wrapper of Slicer checks, it checks."""

    def __init__(self, name: str, hint: object, default: object) -> None:
        parts = typing.get_args(hint)
        self.name, self.default = name, default
        self.kind = parts[0] if parts else hint
        self.limits = parts[1:]
        self.check(default)

    def check(self, value: object) -> None:
        if type(value) is not self.kind:
            raise TypeError(f"{self.name}: expected {self.kind.__name__}, got {value!r}")
        for limit in self.limits:
            if isinstance(limit, Choice) and value not in limit.choices:
                raise ValueError(f"{self.name}: {value!r} is none of {limit.choices}")
            if isinstance(limit, WithinRange) and not limit.minimum <= value <= limit.maximum:
                raise ValueError(f"{self.name}: {value!r} is not within the range")

    def read(self, node: object) -> object:
        text = node.GetParameter(self.name)
        if not text and self.name not in node.GetParameterNames():
            return self.default
        return text == "True" if self.kind is bool else self.kind(text)

    def write(self, node: object, value: object) -> None:
        self.check(value)
        node.SetParameter(self.name, str(value))


def parameter_node_wrapper(kind: type) -> type:
    """`slicer.parameterNodeWrapper.parameterNodeWrapper`, for the types that the face uses."""
    hints = typing.get_type_hints(kind, include_extras=True)
    bounds = {name: _Bound(name, hint, getattr(kind, name)) for name, hint in hints.items()}

    def made(self: object, node: object) -> None:
        self.__dict__.update(parameterNode=node, _guis={}, _busy=False)
        for bound in bounds.values():
            if bound.name not in node.GetParameterNames():
                bound.write(node, bound.default)

    def assign(self: object, name: str, value: object) -> None:
        if name not in bounds:
            raise AttributeError(f"no parameter {name}")
        bounds[name].write(self.parameterNode, value)

    def connect_gui(self: object, gui: object) -> int:
        widgets = {
            widget.property("SlicerParameterName"): widget
            for widget in vars(gui).values()
            if widget.property("SlicerParameterName")
        }
        links = [_Link(self, bounds[name], widget) for name, widget in widgets.items()]
        tag = self.parameterNode.AddObserver(
            vtkCommand.ModifiedEvent, lambda *_: [link.show() for link in links]
        )
        self._guis[tag] = links
        return tag

    def disconnect_gui(self: object, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)
        for link in self._guis.pop(tag):
            link.end()

    for name, bound in bounds.items():
        setattr(kind, name, property(lambda self, bound=bound: bound.read(self.parameterNode)))
    kind.__init__, kind.__setattr__ = made, assign
    kind.connectGui, kind.disconnectGui = connect_gui, disconnect_gui
    return kind


class _Link:
    """A widget and a parameter that follow each other."""

    def __init__(self, owner: object, bound: _Bound, widget: QtWidgets.QWidget) -> None:
        self.owner, self.bound, self.widget = owner, bound, widget
        self.property, signal = _CARRIERS[type(widget).__name__, bound.kind]
        for limit in bound.limits:
            if isinstance(limit, Choice):
                widget.clear()
                for choice in limit.choices:
                    widget.addItem(choice)
            elif isinstance(limit, WithinRange):
                widget.setMinimum(limit.minimum)
                widget.setMaximum(limit.maximum)
        self.signal = connected(widget, signal)
        self.show()
        self.signal.connect(self.take)

    def choices(self) -> list[str]:
        return next((limit.choices for limit in self.bound.limits if isinstance(limit, Choice)), [])

    def take(self, *_: object) -> None:
        value = self.widget.property(self.property)
        if self.property == "currentIndex":
            value = self.choices()[value]
        if not self.owner._busy:
            setattr(self.owner, self.bound.name, self.bound.kind(value))

    def show(self) -> None:
        value = self.bound.read(self.owner.parameterNode)
        if self.property == "currentIndex":
            value = self.choices().index(value)
        self.owner.__dict__["_busy"] = True
        self.widget.setProperty(self.property, value)
        self.owner.__dict__["_busy"] = False

    def end(self) -> None:
        self.signal.disconnect(self.take)


class ScriptedLoadableModule:
    def __init__(self, parent: SimpleNamespace) -> None:
        self.parent = parent

    def resourcePath(self, name: str) -> str:
        return str(RESOURCES / name)


class ScriptedLoadableModuleWidget:
    reloaded = 0

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        self.parent = parent or qt.QWidget()
        self.layout = qt.QVBoxLayout(self.parent)

    def setup(self) -> None:
        pass

    def resourcePath(self, name: str) -> str:
        return str(RESOURCES / name)

    def onReload(self) -> None:
        type(self).reloaded += 1


class ScriptedLoadableModuleLogic:
    def __init__(self, parent: None = None) -> None:
        pass

    def getParameterNode(self) -> object:
        scene = slicer.mrmlScene
        node = scene.GetSingletonNode("ActiveSeg", "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag("ActiveSeg")
            node = scene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    told: typing.ClassVar[list[str]] = []

    def runTest(self) -> None:
        raise NotImplementedError

    def delayDisplay(self, message: str) -> None:
        type(self).told.append(message)


RESOURCES = Path(__file__).resolve().parents[2] / "ActiveSeg" / "Resources"


class App:
    """`slicer.app`: whether a window of the application has the focus, and its logic."""

    def __init__(self, logic: object) -> None:
        self.window: object = object()
        self._logic = logic

    def applicationLogic(self) -> object:
        return self._logic

    def activeWindow(self) -> object:
        return self.window


class Slicer:
    """The application as tests see it.

    Attributes:
        app: Its focus.
        window: The main window, to which shortcuts belong.
        messages: What was shown in dialogs.
        installed: What was handed to pip.
    """

    def __init__(self, logic: object) -> None:
        application()
        self.app = App(logic)
        self.window = qt.QMainWindow()
        self.messages: list[str] = []
        self.installed: list[str] = []

    def confirm(self, text: str, windowTitle: str) -> bool:
        self.messages.append(text)
        return Dialogs.consent

    def pip_install(self, requirements: str) -> None:
        self.installed.append(requirements)

    def install(self, monkeypatch: object, scene: object) -> None:
        """Make `import qt`, `import ctk` and `import slicer` find all this until the test ends."""
        parts = {
            "i18n": module("slicer.i18n", tr=str),
            "ScriptedLoadableModule": module(
                "slicer.ScriptedLoadableModule",
                ScriptedLoadableModule=ScriptedLoadableModule,
                ScriptedLoadableModuleLogic=ScriptedLoadableModuleLogic,
                ScriptedLoadableModuleTest=ScriptedLoadableModuleTest,
                ScriptedLoadableModuleWidget=ScriptedLoadableModuleWidget,
            ),
            "parameterNodeWrapper": module(
                "slicer.parameterNodeWrapper",
                parameterNodeWrapper=parameter_node_wrapper,
                Choice=Choice,
                WithinRange=WithinRange,
            ),
        }
        for name, made in {"qt": qt, "ctk": ctk}.items():
            monkeypatch.setitem(sys.modules, name, made)
        for name, made in parts.items():
            monkeypatch.setitem(sys.modules, f"slicer.{name}", made)
            monkeypatch.setattr(slicer, name, made, raising=False)
        monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
        monkeypatch.setattr(slicer, "app", self.app, raising=False)
        logic = slicer.vtkSlicerSegmentationsModuleLogic()
        logic.SetMRMLScene(scene)
        segmentations = SimpleNamespace(logic=lambda: logic)
        modules = SimpleNamespace(segmentations=segmentations)
        monkeypatch.setattr(slicer, "modules", modules, raising=False)
        for name, function in {
            "loadUI": load_ui,
            "childWidgetVariables": child_widgets,
            "mainWindow": lambda: self.window,
            "confirmOkCancelDisplay": self.confirm,
            "pip_install": self.pip_install,
        }.items():
            monkeypatch.setattr(slicer.util, name, function, raising=False)
