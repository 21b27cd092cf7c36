"""The numbers at the top of the page."""

from flows.product_page import texts
from flows.product_page.figures import PageFigures
from flows.product_page.retention import returned
from flows.product_page.section import Card


def cards(figures: PageFigures) -> tuple[Card, ...]:
    """Each with how it changed, where as many days before are known, too."""
    now = figures.headline
    of_all = [day for day in figures.active_users.days if day.source == "all"]
    found = [
        Card(
            "Active users",
            texts.count(now.users),
            _changed(figures, now.users, now.users_before),
        ),
    ]
    if len(of_all) > 1:
        peak = max(of_all, key=lambda day: day.active_users)
        mean = sum(day.active_users for day in of_all) / len(of_all)
        found.append(
            Card(
                "Active users a day",
                f"{mean:,.1f}",
                f"at most {texts.count(peak.active_users)}, on {peak.day:%-d %b}",
            )
        )
    found.append(
        Card("Events", texts.count(now.events), _changed(figures, now.events, now.events_before))
    )
    if now.sessions:
        found.append(
            Card(
                "Sessions",
                texts.count(now.sessions),
                f"half of them longer than {texts.length(now.median_session_s)}",
            )
        )
    back = returned(figures.retention, now.last_day)
    if back is not None:
        found.append(
            Card(
                "Came again",
                texts.share(back),
                "of new users, in the week after their first",
            )
        )
    return tuple(found)


def _changed(figures: PageFigures, now: int, before: int) -> str:
    if not figures.headline.is_comparable(figures.start, figures.end):
        return ""
    changed = texts.change(now, before)
    days = (figures.end - figures.start).days + 1
    behind = f"the {texts.days(days)}" if days > 1 else "the day"
    return f"{changed} against {behind} before" if changed else ""
