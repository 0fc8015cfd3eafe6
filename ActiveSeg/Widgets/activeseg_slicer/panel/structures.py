"""The table of a new project's structures: a name and a colour each."""

from __future__ import annotations

import qt

from activeseg_slicer.panel.i18n import _

__all__ = ["PALETTE", "StructureTable"]

PALETTE = ("#dd8265", "#6fb8d2", "#90ee90", "#f1d691", "#9d6ca2", "#d8654f", "#b17a65", "#b9654f")
"""The colours in turn; told apart on grey images."""


class StructureTable:
    """Names and colours that the user can change.

    Args:
        table: The table.
        add, remove: The buttons beside it.
    """

    def __init__(self, table: qt.QTableWidget, add: qt.QToolButton, remove: qt.QToolButton) -> None:
        self._table = table
        table.setColumnCount(2)
        table.setHorizontalHeaderLabels([_("Name"), _("Colour")])
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        table.setColumnWidth(1, 60)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(22)
        add.clicked.connect(self.add)
        remove.clicked.connect(self.remove)
        table.doubleClicked.connect(self._choose_colour)

    def add(self) -> None:
        """Add a structure with the next colour, and let its name be typed."""
        line = self._table.property("rowCount")
        self._table.setRowCount(line + 1)
        self._table.setItem(line, 0, qt.QTableWidgetItem(""))
        colour = qt.QTableWidgetItem("")
        colour.setFlags(qt.Qt.ItemIsEnabled)  # else the selection would hide it
        colour.setBackground(qt.QBrush(qt.QColor(PALETTE[line % len(PALETTE)])))
        self._table.setItem(line, 1, colour)
        self._table.setCurrentCell(line, 0)
        self._table.editItem(self._table.item(line, 0))

    def remove(self) -> None:
        """Remove the selected structure, or the last."""
        line = self._table.currentRow()
        last = self._table.property("rowCount") - 1
        self._table.removeRow(line if line >= 0 else last)

    def colours(self) -> dict[str, str]:
        """Name and colour (``#rrggbb``) of each structure that has a name, in order."""
        found = {}
        for line in range(self._table.property("rowCount")):
            name = self._table.item(line, 0).text().strip()
            if name:
                found[name] = self._table.item(line, 1).background().color().name()
        return found

    def names(self) -> list[str]:
        """The names as they are typed, doubles included; the engine judges them."""
        lines = range(self._table.property("rowCount"))
        typed = (self._table.item(line, 0).text().strip() for line in lines)
        return [name for name in typed if name]

    def clear(self) -> None:
        """Forget all structures."""
        self._table.setRowCount(0)

    def _choose_colour(self) -> None:
        """Ask for another colour, if the colour was double clicked."""
        item = self._table.item(self._table.currentRow(), self._table.currentColumn())
        if item is None or self._table.currentColumn() != 1:
            return
        colour = qt.QColorDialog.getColor(item.background().color(), None, _("Colour"))
        if colour.isValid():
            item.setBackground(qt.QBrush(colour))
