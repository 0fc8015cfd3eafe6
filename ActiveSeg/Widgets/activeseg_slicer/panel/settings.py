"""The settings: what of them reaches the engine's commands, and the packages."""

from __future__ import annotations

from types import SimpleNamespace

from activeseg.errors import ActiveSegError
from activeseg.project import Project
from activeseg_slicer.flow import Order
from activeseg_slicer.panel.i18n import _
from activeseg_slicer.panel.installer import Installer
from activeseg_slicer.panel.parameters import Parameters
from activeseg_slicer.panel.work import WorkBox

__all__ = ["SettingsBox", "order"]


def order(given: Parameters, project: Project | None) -> Order:
    """What the next batch of a project is to be like.

    Args:
        given: What the user chose.
        project: The project.
    """
    return Order(
        given.minutes,
        strategy=given.strategy,
        author=given.author,
        device=given.device,
        tune=given.tune if _tunable(project) else "",
    )


def _tunable(project: Project | None) -> bool:
    """Whether there is a choice of what is trained: TorchScript does not show its parts."""
    start = None if project is None else project.start
    return start is not None and start.kind != "torchscript"


class SettingsBox:
    """What the parameters' own widgets do not do by themselves.

    Args:
        ui: The widgets of the ``.ui`` by name.
        installer: Looks after the packages.
        box: Where messages are shown.
    """

    def __init__(self, ui: SimpleNamespace, installer: Installer, box: WorkBox) -> None:
        self._ui, self._installer, self._box = ui, installer, box
        ui.installButton.clicked.connect(self.install)
        self.show_packages()

    def show_project(self, project: Project | None) -> None:
        """Offer what the project leaves to choose.

        Args:
            project: The project that is open; None without one.
        """
        for widget in (self._ui.tuneLabel, self._ui.tuneCombo):
            widget.setVisible(_tunable(project))

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
