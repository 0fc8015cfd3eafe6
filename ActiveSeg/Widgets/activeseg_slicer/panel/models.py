"""What a new project starts from: the built-in network, or a model that exists."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace

import qt

from activeseg.errors import ProjectError
from activeseg_slicer.panel.i18n import _
from activeseg_slicer.panel.parameters import BUILT_IN_MODEL, MODEL_KINDS

__all__ = ["ModelChoice", "is_code"]


def is_code(path: Path) -> bool:
    """Whether a file is TorchScript, told by what it holds; nothing in it is run.

    The engine asks the same (`activeseg.model.torchscript`), but loads torch for it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except (OSError, ValueError, zipfile.BadZipFile):  # not there, no file, no name of one
        return False
    return "constants.pkl" in names and any(name.startswith("code/") for name in names)


class ModelChoice:
    """The rows of the form that choose a model; those that a model has no use for are hidden.

    Args:
        ui: The widgets of the ``.ui`` by name.
    """

    def __init__(self, ui: SimpleNamespace) -> None:
        self._ui = ui
        ui.modelKind.currentIndexChanged.connect(self._change)
        ui.modelEdit.textChanged.connect(self._change)
        ui.modelButton.clicked.connect(self.choose)
        self._change()

    def follow(self) -> None:
        """Name the kinds in the user's language, after the parameters have filled them in."""
        names = (_("Built-in network"), _("MONAI bundle"), _("TorchScript or checkpoint file"))
        for line, name in enumerate(names):
            self._ui.modelKind.setItemText(line, name)
        self._change()

    def distrust(self) -> None:
        """Take the consent back."""
        self._ui.trustCheck.setChecked(False)

    def choose(self) -> None:
        """Ask for the bundle's folder, or the file."""
        edit = self._ui.modelEdit
        if self._kind() == "bundle":
            title, before = _("Folder of the bundle"), edit.property("text")
            name = qt.QFileDialog.getExistingDirectory(None, title, before)
        else:
            kinds = _("Models (*.pt *.pth *.ts);;All files (*)")
            # PythonQt returns the file's name, PySide6 the name and the filter.
            found = qt.QFileDialog.getOpenFileName(None, _("File of the model"), "", kinds)
            name = found if isinstance(found, str) else found[0]
        if name:
            edit.setText(name)

    def words(self) -> list[str]:
        """What says so on the command line of ``activeseg init``.

        Raises:
            ProjectError: If a model of one's own is wanted and none is chosen.
        """
        if self._kind() == "built-in":
            return ["--model", BUILT_IN_MODEL]
        path = self._path()
        if path is None:
            raise ProjectError(_("Choose the model first, or the built-in network."))
        words = ["--model", str(path)]
        if self._foreign():
            channels = self._ui.mapEdit.property("text").strip()
            words += ["--map", channels] if channels else []
            words += ["--trust-code"] if self._ui.trustCheck.property("checked") else []
        return words

    def _kind(self) -> str:
        """One of `MODEL_KINDS`; the first while the list is being filled."""
        return MODEL_KINDS[max(0, self._ui.modelKind.property("currentIndex"))]

    def _path(self) -> Path | None:
        """The model's place, absolute, as the engine runs in another folder; None if empty."""
        text = self._ui.modelEdit.property("text").strip()
        return Path(text).absolute() if text else None

    def _foreign(self) -> bool:
        """Whether it is somebody's network, with outputs of its own and perhaps code."""
        path = self._path()
        if self._kind() != "file" or path is None:
            return self._kind() == "bundle"
        return path.is_dir() or is_code(path)

    def _change(self) -> None:
        """Another model: it is not trusted for the one before it."""
        self.distrust()
        ui, kind, foreign = self._ui, self._kind(), self._foreign()
        for widget in (ui.modelEdit, ui.modelButton):
            widget.setVisible(kind != "built-in")
        for widget in (ui.mapLabel, ui.mapEdit, ui.trustCheck):
            widget.setVisible(foreign)
        ui.modelEdit.setPlaceholderText(
            _("Folder of the bundle") if kind == "bundle" else _("File of the model")
        )
