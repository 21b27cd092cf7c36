"""report_product: the statistics of some days as one HTML page in S3, for people to look at."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from flows.errors import BadRequest
from flows.lake.bucket import Bucket, open_bucket
from flows.lake.keys import page_key
from flows.lake.objects import upload
from flows.product_page import texts
from flows.product_page.figures import PageFigures, read_figures
from flows.product_page.page import render
from flows.reporting import parse_span
from flows.run_log import run_log
from flows.run_name import named_by_days
from flows.settings import S3, Dwh
from flows.windows import IsoWeek

#: A year and a day: more days than that are narrower than a pixel of a phone.
MAX_DAYS = 366
#: Without dates: so many whole weeks, the last one over.
_WEEKS = 4
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class ProductPage:
    """A page that stands in S3, of the days from start to end, both inclusive.

    key: of the object; uri: s3://bucket/key. size_bytes: of the HTML. figures: what it shows.
    """

    start: date
    end: date
    key: str
    uri: str
    size_bytes: int
    figures: PageFigures

    def __str__(self) -> str:
        headline = self.figures.headline
        if not headline.events:
            return f"{self.uri}: no events are known from {self.start} to {self.end}"
        return (
            f"{self.uri}: {texts.count(headline.users)} active users,"
            f" {texts.count(headline.events)} events, {texts.count(headline.sessions)} sessions"
            f" from {self.start} to {self.end}"
        )


@flow(
    name="report-product",
    flow_run_name=named_by_days("the last four weeks"),
    description="The statistics of some days as one HTML page in S3.",
    retries=0,
    persist_result=False,
)
def report_product(
    start: date | str | int | None = None, end: date | str | int | None = None
) -> ProductPage:
    """Write the page of some days: users, events, retention, sessions, state of the data.

    Args:
        start: First day, YYYY-MM-DD, in the time zone DWH_TIME_ZONE.
        end: Last day, inclusive; at most 366 days in all. Without both: the last four whole weeks.

    The page of the same days takes the place of an earlier one.
    Raises BadRequest, MissingSetting, WarehouseFailed (also where nothing is built yet),
    ArchiveFailed.
    """
    page = write_page(start, end)
    run_log().info("%s", page)
    show(page)
    return page


def write_page(
    start: date | str | int | None = None,
    end: date | str | int | None = None,
    *,
    bucket: Bucket | None = None,
    settings: Dwh | None = None,
) -> ProductPage:
    """What `report_product` does, without Prefect."""
    settings = settings or Dwh.load()
    made_at = datetime.now(UTC)
    first, last = _span(start, end, made_at.astimezone(ZoneInfo(settings.time_zone)).date())
    bucket = bucket or open_bucket()
    figures = read_figures(first, last, made_at, settings)
    html = render(figures)
    key = page_key(first, last)
    upload(bucket, key, lambda: [html], len(html), lambda: None, content_type=_HTML)
    return ProductPage(first, last, key, f"s3://{bucket.name}/{key}", len(html), figures)


def show(page: ProductPage) -> None:
    """The way to the page, and its first numbers, on the run's page."""
    create_link_artifact(
        key="product-page",
        link=S3.load().link_to(page.key),
        link_text=f"Product statistics, {page.start} to {page.end}",
        description=f"One HTML file, {page.size_bytes:,} bytes: {page.uri}",
    )
    create_markdown_artifact(key="product-summary", markdown=as_markdown(page))


def as_markdown(page: ProductPage) -> str:
    """The first numbers as a small table. No name of an event: they come from outside."""
    headline = page.figures.headline
    waiting = sum(one.state == "held back" for one in page.figures.interruptions)
    rows = {
        "active users": texts.count(headline.users),
        "events": texts.count(headline.events),
        "sessions": texts.count(headline.sessions),
        "newest day known": str(headline.last_day or "none"),
        "kinds of findings that the gate holds back": texts.count(waiting),
        "page": f"`{page.uri}`",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    days = f"{texts.span(page.start, page.end)}, {page.figures.time_zone}"
    return f"# Product statistics\n\n{days}\n\n| | |\n|---|---|\n{table}\n"


def _span(
    start: date | str | int | None, end: date | str | int | None, today: date
) -> tuple[date, date]:
    if start is None and end is None:
        monday = IsoWeek.of(today).monday
        return monday - timedelta(weeks=_WEEKS), monday - timedelta(days=1)
    if start is None or end is None:
        raise BadRequest("give both start and end, or neither for the last four whole weeks")
    first, last = parse_span(start, end)
    days = (last - first).days + 1
    if days > MAX_DAYS:
        raise BadRequest(f"{first} to {last} are {days} days: a page has at most {MAX_DAYS}")
    return first, last
