"""The tables and the numbers at the top of a product page, read from its HTML alone."""

from html.parser import HTMLParser

Row = dict[str, str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[Row]] = {}
        self.cards: Row = {}
        self._text: list[str] | None = None
        self._caption = ""
        self._columns: list[str] = []
        self._cells: list[str] = []
        self._label = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("caption", "th", "td", "dt") or (tag, ("class", "number")) == ("dd", *attrs[:1]):
            self._text = []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "thead":
            self._columns, self._cells = self._cells, []
        elif tag == "tr" and self._cells and self._columns:
            self.tables[self._caption].append(dict(zip(self._columns, self._cells, strict=True)))
            self._cells = []
        if self._text is None or tag not in ("caption", "th", "td", "dt", "dd"):
            return
        text, self._text = "".join(self._text).strip(), None
        if tag == "caption":
            self._caption, self._columns, self._cells = text, [], []
            self.tables[text] = []
        elif tag in ("th", "td"):
            self._cells.append(text)
        elif tag == "dt":
            self._label = text
        else:
            self.cards[self._label] = text


def read_page(html: str) -> tuple[dict[str, list[Row]], Row]:
    """Tables by caption, each row by its columns' heads; and the numbers at the top by label."""
    reader = _Reader()
    reader.feed(html)
    return reader.tables, reader.cards
