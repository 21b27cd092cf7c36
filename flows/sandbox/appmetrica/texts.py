"""What AppMetrica says where it sends no data.

Seen in real answers or in clients that look for them: the 202 texts, MORE_PARTS' second sentence,
TOO_MANY. The others are made up: nobody has written down the vendor's own.
"""

ADDED = "Your query is added to the queue."
MOVED = "Your query is moved to the end of the queue due to provided Cache-Control restriction."
MORE_PARTS = "Too much data is requested. Try to use more parts."
TOO_MANY = (
    "There are already 3 enqueued queries for given application_id. Wait until they are completed."
)
UNAUTHORIZED = "Authorization header with a valid OAuth token is required"
FORBIDDEN = "Access to the application is denied"
QUOTA_PER_SECOND = "Quota of requests per second by IP is exceeded: requests_by_ip"
QUOTA_PER_DAY = "Quota of requests per day by user_login is exceeded: requests_by_login"
DISABLED = "Logs API is disabled"
SHARDS = "Some shards are unavailable"

BY_STATUS = {
    400: "Bad request",
    401: UNAUTHORIZED,
    403: FORBIDDEN,
    404: "Not Found",
    420: QUOTA_PER_DAY,
    429: TOO_MANY,
    500: "Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Unavailable",
    504: "504 Gateway Time-out",
}


def progress(percent: int) -> str:
    """What a running job is answered with."""
    return f"Wait for result. Progress is {percent}%."
