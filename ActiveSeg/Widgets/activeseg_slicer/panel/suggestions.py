"""The table of suggestions: sorted by a click on a column, filtered by words and by state."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import qt

from activeseg.keys import SliceKey
from activeseg_slicer.flow import Row, State
from activeseg_slicer.panel.i18n import _
from activeseg_slicer.panel.words import dice_text, plane_word, state_word

__all__ = ["SuggestionTable"]

STATE_COLUMN = 8
"""Shown beside the rank, as the last columns are out of sight in a narrow panel."""

_WIDTHS = (24, 104, 54, 38, 38, 52, 36, 200, 72)


class SuggestionTable:
    """Shows the rows of the latest batch.

    Args:
        view: The table.
        words: Where the user types what the rows must hold.
        states: Where the user chooses a state.
        on_open: Told the slice of a row that was double clicked.
    """

    def __init__(
        self,
        view: qt.QTableView,
        words: qt.QLineEdit,
        states: qt.QComboBox,
        on_open: Callable[[SliceKey], None],
    ) -> None:
        self._view, self._words, self._states, self._on_open = view, words, states, on_open
        self._rows: tuple[Row, ...] = ()
        self._order = qt.Qt.UserRole + 1
        self._name = qt.Qt.UserRole + 2
        self._model = qt.QStandardItemModel()
        self._sorted = qt.QSortFilterProxyModel()
        self._sorted.setSourceModel(self._model)
        self._sorted.setSortRole(self._order)
        view.setModel(self._sorted)
        self._prepare()
        words.textChanged.connect(self._fill)
        states.currentIndexChanged.connect(self._fill)
        view.doubleClicked.connect(self._open)

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows; sorting, filter and selection stay as they are.

        Args:
            rows: In the order of the ranks.
        """
        if tuple(rows) != self._rows:
            self._rows = tuple(rows)
            self._fill()

    def _prepare(self) -> None:
        """Columns, their widths, and the choices of the state filter."""
        names = (
            ("#", _("Place in the batch")),
            (_("Volume"), ""),
            (_("Plane"), ""),
            (_("Slice"), ""),
            (_("Dice"), _("Expected Dice of the proposal")),
            (_("Entropy"), _("How unsure the model is")),
            (_("Min"), _("Expected minutes of the answer")),
            (_("Reason"), ""),
            (_("State"), ""),
        )
        for column, (name, tip) in enumerate(names):
            item = qt.QStandardItem(name)
            item.setToolTip(tip or name)
            self._model.setHorizontalHeaderItem(column, item)
        header = self._view.horizontalHeader()
        for column, width in enumerate(_WIDTHS):
            self._view.setColumnWidth(column, width)
        header.setHighlightSections(False)
        header.setDefaultAlignment(qt.Qt.AlignLeft | qt.Qt.AlignVCenter)
        header.moveSection(STATE_COLUMN, 1)
        header.setStretchLastSection(True)
        self._view.verticalHeader().hide()
        self._view.verticalHeader().setDefaultSectionSize(22)
        self._view.sortByColumn(0, qt.Qt.AscendingOrder)
        for text in (_("To do"), _("All"), _("Accepted"), _("Skipped"), _("With others")):
            self._states.addItem(text)
        self._states.setCurrentIndex(1)

    def _wanted(self, row: Row) -> bool:
        """Whether a row passes both filters."""
        choices: tuple[tuple[State, ...], ...] = (
            (State.OPEN, State.CURRENT, State.DRAFT),
            tuple(State),
            (State.ACCEPTED,),
            (State.SKIPPED,),
            (State.TAKEN,),
        )
        text = " ".join((row.volume, str(row.plane), str(row.index), row.reason, state_word(row)))
        words = self._words.property("text").lower().split()
        chosen = choices[max(0, self._states.property("currentIndex"))]
        return row.state in chosen and all(word in text.lower() for word in words)

    def _fill(self) -> None:
        """Put the rows that pass the filters into the table."""
        selected = self._selected()
        self._model.setRowCount(0)
        for line, row in enumerate(row for row in self._rows if self._wanted(row)):
            for column, item in enumerate(self._items(row)):
                self._model.setItem(line, column, item)
        current = next((row.key for row in self._rows if row.state is State.CURRENT), selected)
        for place in range(self._sorted.rowCount()):
            if current is not None and self._key_at(place) == current:
                self._view.selectRow(place)

    def _items(self, row: Row) -> list[qt.QStandardItem]:
        """The cells of a row: what is shown, and what it is sorted by."""
        none = -1.0
        answered = row.state in (State.ACCEPTED, State.SKIPPED, State.TAKEN)
        # What is drawn by chance is a check of these very numbers: they must not lead the hand.
        blank = row.audit and row.state not in (State.ACCEPTED, State.SKIPPED)
        dice, entropy = (None, None) if blank else (row.expected_dice, row.entropy)
        cells: tuple[tuple[str, str | float], ...] = (
            (str(row.rank or "–"), float(row.rank)),
            (row.volume, row.volume),
            (plane_word(row.plane), str(row.plane)),
            (str(row.index), float(row.index)),
            (dice_text(dice), _or(dice, none)),
            ("–" if entropy is None else f"{entropy:.2f}", _or(entropy, none)),
            ("–" if row.minutes is None else f"{row.minutes:.1f}", _or(row.minutes, none)),
            (row.reason, row.reason),
            (state_word(row), list(State).index(row.state)),
        )
        items = []
        for column, (text, order) in enumerate(cells):
            item = qt.QStandardItem(text)
            item.setData(order, self._order)
            item.setData(str(row.key), self._name)
            item.setToolTip(f"{row.key}: {row.reason}")
            if column in (0, 3, 4, 5, 6):
                item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
            if answered:
                item.setForeground(qt.QBrush(qt.QColor(128, 128, 128)))
            if row.state is State.CURRENT:
                font = qt.QFont(item.font())
                font.setBold(True)
                item.setFont(font)
            items.append(item)
        return items

    def _key_at(self, line: int) -> SliceKey:
        """The slice that is shown in a line of the sorted table."""
        return SliceKey.parse(self._sorted.data(self._sorted.index(line, 0), self._name))

    def _selected(self) -> SliceKey | None:
        """The slice of the selected line."""
        index = self._view.currentIndex()
        return self._key_at(index.row()) if index.isValid() else None

    def _open(self) -> None:
        """Hand on the line that was double clicked; it is the current one by then."""
        key = self._selected()
        if key is not None:
            self._on_open(key)


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
