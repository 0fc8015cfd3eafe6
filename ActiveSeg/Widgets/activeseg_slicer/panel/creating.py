"""The form of a new project: scans, structures, a model, a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import qt
import slicer

from activeseg.errors import ActiveSegError, ProjectError
from activeseg_slicer.panel.exporting import scalar_volumes, write_cohort
from activeseg_slicer.panel.i18n import _
from activeseg_slicer.panel.models import ModelChoice
from activeseg_slicer.panel.structures import StructureTable

__all__ = ["NewProject", "Wish", "ask_folder"]


@dataclass(frozen=True)
class Wish:
    """A project to be made.

    Attributes:
        folder: Where.
        cohort: The scans.
        structures: Their names; empty: those that the scans' labels name.
        colours: Colour of each structure, ``#rrggbb``.
        model: The words of the command line that say what it starts from.
        taken: Volume nodes of the scene that the scans were written from, with their ids.
    """

    folder: Path
    cohort: Path
    structures: tuple[str, ...]
    colours: dict[str, str]
    model: tuple[str, ...]
    taken: tuple[tuple[slicer.vtkMRMLScalarVolumeNode, str], ...]

    def words(self, planes: str, strategy: str) -> list[str]:
        """What follows ``activeseg init`` on the command line."""
        words = [str(self.folder), "--cohort", str(self.cohort), "--plane", planes]
        words += [*self.model, "--strategy", strategy, "--progress", "json"]
        return [*words, "--structures", ",".join(self.structures)] if self.structures else words


def ask_folder(edit: qt.QLineEdit, title: str) -> bool:
    """Let the user choose a folder into a line; whether one was chosen."""
    folder = qt.QFileDialog.getExistingDirectory(None, title, edit.property("text"))
    if folder:
        edit.setText(folder)
    return bool(folder)


class NewProject:
    """The form; hidden until its button is pressed.

    Args:
        ui: The widgets of the ``.ui`` by name.
        prepare: Called before volumes of the scene are written; raises if that were in vain.
        on_create: Told a wish that is complete.
        on_error: Told in one line why it is not.
    """

    def __init__(
        self,
        ui: SimpleNamespace,
        prepare: Callable[[], None],
        on_create: Callable[[Wish], None],
        on_error: Callable[[str], None],
    ) -> None:
        self._ui, self._prepare = ui, prepare
        self._on_create, self._on_error = on_create, on_error
        self._nodes: list[slicer.vtkMRMLScalarVolumeNode] = []
        self._structures = StructureTable(ui.structureTable, ui.addStructure, ui.removeStructure)
        self._model = ModelChoice(ui)
        ui.newForm.setVisible(False)
        ui.newButton.clicked.connect(self._toggle)
        ui.fromFolder.clicked.connect(self._show_source)
        ui.fromScene.clicked.connect(self._show_source)
        ui.cohortButton.clicked.connect(self._choose_cohort)
        ui.folderButton.clicked.connect(self._choose_folder)
        ui.createButton.clicked.connect(self._create)
        self._show_source()

    def follow(self) -> None:
        """Show what the parameters say, after their widgets were connected."""
        self._model.follow()

    def close(self) -> None:
        """Put the form away; whoever trusted a model did so for this project."""
        self._ui.newButton.setChecked(False)
        self._ui.newForm.setVisible(False)
        self._model.distrust()

    def _toggle(self) -> None:
        shown = self._ui.newButton.property("checked")
        self._ui.newForm.setVisible(shown)
        if shown:
            self._show_source()

    def _from_scene(self) -> bool:
        return bool(self._ui.fromScene.property("checked"))

    def _show_source(self) -> None:
        """Show what the chosen source of scans needs."""
        scene = self._from_scene()
        self._ui.sceneVolumes.setVisible(scene)
        self._ui.cohortEdit.setPlaceholderText(
            _("New folder to save the volumes in") if scene else _("Folder of the scans")
        )
        if scene:
            self._list_volumes()

    def _list_volumes(self) -> None:
        """The volumes that are loaded now, all of them ticked."""
        self._ui.sceneVolumes.clear()
        self._nodes = scalar_volumes(slicer.mrmlScene)
        for node in self._nodes:
            item = qt.QListWidgetItem(node.GetName())
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
            item.setCheckState(qt.Qt.Checked)
            self._ui.sceneVolumes.addItem(item)

    def _choose_cohort(self) -> None:
        ask_folder(self._ui.cohortEdit, _("Folder of the scans"))

    def _choose_folder(self) -> None:
        ask_folder(self._ui.folderEdit, _("New folder for the project"))

    def _create(self) -> None:
        """Hand on the wish; volumes of the scene are written first."""
        try:
            self._on_create(self._wish())
        except ActiveSegError as error:
            self._on_error(str(error))

    def _wish(self) -> Wish:
        """What the form says.

        Raises:
            ProjectError: If a folder or the model is missing. CohortError: If volumes cannot be
                written. ActiveSegError: As `prepare`.
        """
        folder = self._ui.folderEdit.property("text").strip()
        cohort = self._ui.cohortEdit.property("text").strip()
        names = tuple(self._structures.names())
        if not cohort:
            raise ProjectError(_("Choose the folder of the scans first."))
        if not folder:
            raise ProjectError(_("Choose a new folder for the project first."))
        if any("," in name for name in names):
            raise ProjectError(_("The name of a structure cannot hold a comma."))
        model = tuple(self._model.words())
        where = Path(cohort).absolute()
        taken: tuple[tuple[slicer.vtkMRMLScalarVolumeNode, str], ...] = ()
        if self._from_scene():
            if not names:
                raise ProjectError(_("Name at least one structure to segment first."))
            self._prepare()
            nodes = self._ticked()
            taken = tuple(zip(nodes, write_cohort(slicer.mrmlScene, nodes, where), strict=True))
        colours = self._structures.colours()
        return Wish(Path(folder).absolute(), where, names, colours, model, taken)

    def _ticked(self) -> list[slicer.vtkMRMLScalarVolumeNode]:
        """The volumes that are ticked and still in the scene."""
        ticked = [
            node
            for line, node in enumerate(self._nodes)
            if self._ui.sceneVolumes.item(line).checkState() == qt.Qt.Checked
        ]
        there = scalar_volumes(slicer.mrmlScene)
        return [node for node in ticked if node in there]
