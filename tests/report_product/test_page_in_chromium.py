"""The page in a real browser: nothing is asked for, nothing complains, people can read it."""

from pathlib import Path

import pytest
from bucket_contents import body_of
from chromium import Tab
from page_world import END, HOSTILE, LATER, PATIENT, START, World

from flows.lake.bucket import open_bucket
from flows.report_product import write_page

DESKTOP, PHONE = 1280, 390
#: Every section with a picture, and how many it has.
PICTURES = ["active-users-0", "top-events-0", "retention-0"]
LUMINANCE = (
    "(name => { const [r, g, b] = getComputedStyle(document.querySelector(name)).{0}"
    ".match(/[\\d.]+/g).map(Number); return (r * 3 + g * 6 + b) / 10; })"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture
def page(page_env: World, folder: Path):
    """The file of the page of some days, written once."""

    def written(start, end=None):
        file = folder / f"{start}.html"
        if not file.exists():
            file.write_bytes(body_of(open_bucket(), write_page(start, end or start).key))
        return file

    return written


def is_quiet(tab: Tab, file: Path) -> None:
    """One request, for the file; no exception, no word of the console or of the policy."""
    assert tab.requests == [file.as_uri()]
    assert tab.complaints == []


def is_narrow(tab: Tab) -> bool:
    return tab.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


def drawn(tab: Tab) -> list[str]:
    """Pictures that have marks: lines, bars or cells."""
    return tab.evaluate(
        "[...document.querySelectorAll('.picture')].filter(one =>"
        " one.querySelector('.scatterlayer path, .barlayer path, .heatmaplayer image,"
        " .heatmaplayer path')).map(one => one.id)"
    )


def luminance(tab: Tab, selector: str, style: str) -> float:
    """From 0 (black) to 255 (white)."""
    return tab.evaluate(LUMINANCE.replace("{0}", style) + f"({selector!r})")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_four_weeks_are_drawn_at_every_width_in_both_schemes(chromium, page, width, dark) -> None:
    """Nothing is wider than the window, and text stands out from its ground, in pictures too."""
    file = page(START, END)
    with Tab(chromium, file, width, dark=dark) as tab:
        tab.settle()
        is_quiet(tab, file)
        assert is_narrow(tab)
        assert drawn(tab) == PICTURES
        ground = luminance(tab, "section", "backgroundColor")
        for selector, style in (("h2", "color"), (".xtick text", "fill")):
            assert abs(luminance(tab, selector, style) - ground) > 75
        assert (ground < 60) == dark
        assert len(tab.screenshot()) > 20_000


def test_pictures_follow_the_system_and_turn_light_on_paper(chromium, page) -> None:
    """Dark at night without loading again, light in print, and back behind it."""
    with Tab(chromium, page(START, END)) as tab:
        by_day = luminance(tab, ".xtick text", "fill")
        tab.prefer("dark")
        tab.settle()
        at_night = luminance(tab, ".xtick text", "fill")
        assert at_night > by_day + 40
        tab.evaluate(
            "addEventListener('beforeprint', () => { window.printed ="
            " getComputedStyle(document.querySelector('.xtick text')).fill })"
        )
        assert tab.send("Page.printToPDF")["data"]
        tab.settle()
        red, *_ = tab.evaluate("window.printed.match(/[0-9]+/g).map(Number)")
        assert abs(red - by_day) < 40
        assert luminance(tab, ".xtick text", "fill") == at_night


def test_the_pointer_tells_numbers(chromium, page) -> None:
    """On a line, a bar and a cell."""
    with Tab(chromium, page(START, END)) as tab:
        told = []
        for picture, y in (("active-users-0", 0.5), ("top-events-0", 0.06), ("retention-0", 0.3)):
            tab.point_at(f"#{picture} .nsewdrag", 0.12, y)
            told.append(
                tab.evaluate(f"document.querySelector('#{picture} .hoverlayer').textContent")
            )
        lines, bar, cell = told
        assert "2024" in lines
        assert "all sources" in lines
        assert "events by" in bar
        assert "% of all events" in bar
        assert "users" in cell
        assert "week of 2024-03-" in cell


def test_names_above_a_picture_hide_and_show_its_lines(chromium, page) -> None:
    """Buttons that tell whether they are pressed; users of 30 days are hidden at first."""
    lines = "document.querySelectorAll('#active-users-0 .scatterlayer .trace').length"
    with Tab(chromium, page(START, END), PHONE) as tab:
        buttons = "[...document.querySelectorAll('.names button')]"
        pressed = f"{buttons}.map(one => [one.textContent, one.ariaPressed])"
        assert tab.evaluate(pressed) == [
            ["all sources", "true"],
            ["all, 7 days", "false"],
            ["all, 30 days", "false"],
        ]
        assert tab.evaluate(lines) == 1
        tab.evaluate(f"{buttons}.slice(1).forEach(one => one.click())")
        tab.settle()
        assert tab.evaluate(lines) == 3
        tab.evaluate(f"{buttons}[0].click()")
        tab.settle()
        assert tab.evaluate(lines) == 2
        assert tab.evaluate(pressed)[0] == ["all sources", "false"]
        assert is_narrow(tab)


def test_tables_stand_behind_every_picture(chromium, page) -> None:
    """Each picture has a text instead; each table a caption, heads of columns and of rows."""
    with Tab(chromium, page(START, END), PHONE) as tab:
        tree = tab.send("Accessibility.getFullAXTree")["nodes"]
        images = [
            node["name"]["value"]
            for node in tree
            if not node["ignored"] and node["role"]["value"] == "image"
        ]
        assert len(images) == len(PICTURES)
        assert all("The numbers stand in the table below." in name for name in images)
        tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert is_narrow(tab)
        tables = tab.evaluate(
            "[...document.querySelectorAll('table')].map(table => [table.caption.textContent,"
            " table.querySelectorAll('th[scope=col]').length,"
            " table.querySelectorAll('th[scope=row]').length, table.tBodies[0].rows.length])"
        )
        assert [name for name, *_ in tables[:3]] == [
            "Active users by day",
            "Most frequent events",
            "Share of each week's new users that came again",
        ]
        assert all(heads > 3 and of_rows == rows > 0 for _, heads, of_rows, rows in tables)


def test_without_scripts_the_tables_are_the_page(chromium, page) -> None:
    """Where JavaScript is off, the numbers are there and no gaps for pictures."""
    with Tab(chromium, page(START, END), scripts=False) as tab:
        text = tab.evaluate("document.body.innerText")
        assert "The tables hold the same numbers." in text
        assert tab.evaluate("document.querySelector('.picture').offsetHeight") == 0


def test_one_day_of_hostile_names_is_a_page_like_any_other(chromium, page) -> None:
    """Names stay text in tables and pictures; a point, a bar and a day's name stand alone."""
    file = page(LATER)
    with Tab(chromium, file, PHONE) as tab:
        tab.settle()
        is_quiet(tab, file)
        assert is_narrow(tab)
        assert tab.evaluate("document.title") == f"Product statistics, {LATER} to {LATER}"
        assert tab.evaluate("document.querySelectorAll('img, a:not(.skip)').length") == 0
        assert tab.evaluate("document.querySelectorAll('svg a, svg b').length") == 0
        names = tab.evaluate(
            "[...document.querySelectorAll('#top-events ~ details tbody th')]"
            ".map(one => one.textContent)"
        )
        assert sorted(names) == sorted([*HOSTILE[:-1], ("long " * 40)[:199] + "…"])
        labels = tab.evaluate(
            "[...document.querySelectorAll('#top-events-0 .annotation')]"
            ".map(one => one.textContent)"
        )
        assert HOSTILE[0][:29] + "…" in labels
        assert drawn(tab) == [*PICTURES, "sessions-0", "sessions-1", "completeness-0"]
        days = tab.evaluate(
            "[...document.querySelectorAll('#active-users-0 .xtick')].map(one => one.textContent)"
        )
        assert days == ["5 Jun"]
    assert PATIENT not in file.read_text()


def test_days_without_events_say_so_and_what_is_known(chromium, page) -> None:
    """No picture stands empty; the state of the data is told all the same."""
    file = page("2023-01-02", "2023-01-29")
    with Tab(chromium, file, PHONE, dark=True) as tab:
        tab.settle()
        is_quiet(tab, file)
        assert is_narrow(tab)
        text = tab.evaluate("document.body.innerText")
        assert (
            "No events are known from 2023-01-02 to 2023-01-29. Events are known from 2024-03-04"
            " to 2024-06-05: ask for some of these days, or run pipeline." in text
        )
        assert tab.evaluate("document.querySelectorAll('.picture, .card').length") == 0
        assert tab.evaluate("[...document.querySelectorAll('h2')].map(one => one.textContent)") == [
            "Freshness",
            "Completeness",
            "Last interruptions",
        ]
