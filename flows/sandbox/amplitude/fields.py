"""The keys of one exported event, as in section 6 of the Export API's description.

https://amplitude.com/docs/apis/analytics/export
"""

from typing import Any

Row = dict[str, Any]

#: Every key of a present-day row, in the order of the vendor's list; null instead of absent.
KEYS = (
    "$insert_id",
    "$insert_key",
    "$schema",
    "adid",
    "amplitude_attribution_ids",
    "amplitude_event_type",
    "amplitude_id",
    "app",
    "city",
    "client_event_time",
    "client_upload_time",
    "country",
    "data",
    "data_type",
    "device_brand",
    "device_carrier",
    "device_family",
    "device_id",
    "device_manufacturer",
    "device_model",
    "device_type",
    "dma",
    "event_id",
    "event_properties",
    "event_time",
    "event_type",
    "global_user_properties",
    "group_properties",
    "groups",
    "idfa",
    "ip_address",
    "is_attribution_event",
    "language",
    "library",
    "location_lat",
    "location_lng",
    "os_name",
    "os_version",
    "partner_id",
    "paying",
    "plan",
    "platform",
    "processed_time",
    "region",
    "sample_rate",
    "server_received_time",
    "server_upload_time",
    "session_id",
    "source_id",
    "start_version",
    "user_creation_time",
    "user_id",
    "user_properties",
    "uuid",
    "version_name",
)

#: Keys that rows of schema 12 lack, and further ones that the pasted rows of 2019-2021 lack: 12.
KEYS_UNKNOWN_TO_OLD_ROWS = frozenset(
    {
        "$insert_key",
        "data_type",
        "plan",
        "partner_id",
        "source_id",
        "global_user_properties",
        "amplitude_attribution_ids",
        "amplitude_event_type",
        "dma",
        "sample_rate",
        "server_received_time",
        "start_version",
    }
)

#: The 43 keys of an old row.
OLD_KEYS = tuple(key for key in KEYS if key not in KEYS_UNKNOWN_TO_OLD_ROWS)

#: What every row has unless someone says otherwise: all 55 keys, null or empty.
BLANK_ROW: Row = dict.fromkeys(KEYS) | {
    "data": {},
    "event_properties": {},
    "group_properties": {},
    "groups": {},
    "user_properties": {},
}
