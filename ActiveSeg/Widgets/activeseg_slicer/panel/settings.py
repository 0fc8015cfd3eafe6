"""The buttons of the settings: the file of a model, the packages."""

from __future__ import annotations

from types import SimpleNamespace

import qt

from activeseg.errors import ActiveSegError
from activeseg_slicer.panel.i18n import _
from activeseg_slicer.panel.installer import Installer
from activeseg_slicer.panel.work import WorkBox

__all__ = ["SettingsBox"]


class SettingsBox:
    """What the parameters' own widgets do not do by themselves.

    Args:
        ui: The widgets of the ``.ui`` by name.
        installer: Looks after the packages.
        box: Where messages are shown.
    """

    def __init__(self, ui: SimpleNamespace, installer: Installer, box: WorkBox) -> None:
        self._ui, self._installer, self._box = ui, installer, box
        ui.modelButton.clicked.connect(self.choose_model)
        ui.installButton.clicked.connect(self.install)
        self.show_packages()

    def choose_model(self) -> None:
        """Ask for the file of a model."""
        # PythonQt returns the file's name, PySide6 the name and the filter.
        found = qt.QFileDialog.getOpenFileName(None, _("Model"), "", _("Models (*.pt *.zip *.ts)"))
        name = found if isinstance(found, str) else found[0]
        if name:
            self._ui.modelEdit.setText(name)

    def install(self) -> None:
        """Install what is missing, after asking."""
        try:
            self._installer.ensure()
        except ActiveSegError as error:
            self._box.say(str(error), wrong=True)
        self.show_packages()

    def show_packages(self) -> None:
        """Which packages are missing."""
        missing = self._installer.missing()
        text = _("Missing: {names}").format(names=", ".join(missing)) if missing else _("Complete")
        self._ui.packagesLabel.setText(text)
        self._ui.packagesLabel.setToolTip(text)
        self._ui.installButton.setEnabled(bool(missing))
