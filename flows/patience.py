"""The one rule for trouble that passes by itself: which it is, how often and when to try again.

Only what is safe to repeat is repeated: connecting, reading, and work whose every commit says how
far it came (loads, migrations). Vendors have a rule of their own (`vendors/retries.py`), as they
say themselves when to come again; requests to S3 are repeated by boto3 within the same bounds.
"""

import logging
from collections.abc import Callable

import psycopg
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from flows.stopping import pause

_log = logging.getLogger(__name__)

TRIES = 5
#: Doubled before each further try, up to a second of jitter added: 17 s in all, in which a
#: PostgreSQL that crashed or is restarted is usually back.
FIRST_WAIT_S = 1.0
_JITTER_S = 1.0

#: Deadlock, serialization; shutting down, crashed, starting up, idle too long; no free connection.
_PASSING_STATES = frozenset(
    {"40P01", "40001", "57P01", "57P02", "57P03", "57P05", "25P03", "53300"}
)
_CONNECTION_CLASS = "08"
#: Refusals of a server that is there. psycopg gives no SQLSTATE with them, only these words.
_REFUSAL = "FATAL:"
_PASSING_REFUSALS = (
    "starting up",
    "shutting down",
    "recovery mode",
    "not yet accepting",
    "too many",
    "remaining connection slots",
)


def passes(error: BaseException) -> bool:
    """Whether an error of the warehouse is likely gone in some seconds."""
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is not None:
        return error.sqlstate in _PASSING_STATES or error.sqlstate[:2] == _CONNECTION_CLASS
    # Without a state no server answered, or the connection is gone.
    text = str(error)
    return isinstance(error, psycopg.OperationalError) and (
        _REFUSAL not in text or any(words in text for words in _PASSING_REFUSALS)
    )


def patiently(
    is_passing: Callable[[BaseException], bool] = passes, *, what: str = "the warehouse"
) -> Retrying:
    """Tries of one deed, which must be safe to repeat; the last error is raised as it is.

    patiently()(deed), or `for attempt in patiently(): with attempt: ...`
    """

    def tell(state: RetryCallState) -> None:
        if state.next_action is not None:
            _log.warning(
                "trouble with %s; try %d of %d in %.1f s",
                what,
                state.attempt_number + 1,
                TRIES,
                state.next_action.sleep,
            )

    return Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential_jitter(FIRST_WAIT_S, exp_base=2, jitter=min(_JITTER_S, FIRST_WAIT_S)),
        retry=retry_if_exception(is_passing),
        before_sleep=tell,
        sleep=pause,
        reraise=True,
    )
