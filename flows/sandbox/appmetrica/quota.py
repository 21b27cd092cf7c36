"""The vendor's quotas: requests per second by IP, per day by token.

https://appmetrica.yandex.com/docs/en/mobile-api/intro/quotas
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime

from flows.sandbox.appmetrica import texts
from flows.sandbox.appmetrica.limits import Limits


class Quota:
    """What was spent. Seconds are real ones, days those of the simulator's clock."""

    def __init__(self, limits: Callable[[], Limits]) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._recent: deque[float] = deque()
        self._days: Counter[tuple[str, str]] = Counter()

    def spend(self, token: str, now: datetime) -> str | None:
        """Count a request; the name of the quota if it is one too many."""
        limits = self._limits()
        with self._lock:
            moment = time.monotonic()
            while self._recent and self._recent[0] <= moment - 1:
                self._recent.popleft()
            self._recent.append(moment)
            day = (token, f"{now.astimezone(UTC):%Y-%m-%d}")
            self._days[day] += 1
            per_second, per_day = limits.requests_per_second, limits.requests_per_day
            if per_second is not None and len(self._recent) > per_second:
                return texts.QUOTA_PER_SECOND
            if per_day is not None and self._days[day] > per_day:
                return texts.QUOTA_PER_DAY
        return None
