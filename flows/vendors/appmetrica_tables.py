"""The 13 tables of AppMetrica's Logs API: which fields each has, of what kind, and its times.

The one list that client, loader and simulator go by. Fields stand in the order of the vendor's page
for copying; a field that a page lists twice stands once (asked for twice, it comes twice).
Vendor page: https://appmetrica.yandex.com/docs/en/mobile-api/logs/ref/events
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a field means. On the wire every value is text, and "" stands for a missing one."""

    TEXT = "text"
    INTEGER = "integer"
    UNSIGNED = "unsigned"  # uint64: half of the ids are above what bigint holds
    TIMESTAMP = "timestamp"  # Unix seconds
    DATETIME = "datetime"  # "yyyy-mm-dd hh:mm:ss" of the app's time zone
    BOOLEAN = "boolean"  # "true" or "false"
    JSON = "json"  # JSON as text, as the app sent it: maybe no object, maybe broken


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    fields: documented field -> kind, in the vendor's order; also_fields: those that only the page's
    schema knows, so asking for them is at one's own risk. event_time, receive_time: what the names
    of the two time fields of each begin with (`event_time` "event": `event_datetime`,
    `event_timestamp`), None where rows do not tell. takes_dates: whether date_since and date_until
    belong to a request; takes_date_dimension: whether a window of receipt can be asked for.
    """

    name: str
    fields: dict[str, Kind]
    event_time: str | None
    receive_time: str | None
    takes_dates: bool = True
    takes_date_dimension: bool = True
    also_fields: dict[str, Kind] | None = None

    @property
    def known_fields(self) -> dict[str, Kind]:
        """Documented fields, then those of the page's schema."""
        return self.fields | (self.also_fields or {})


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_INTEGERS = _names(
    "application_id app_build_number app_framework appmetrica_crashes appmetrica_errors"
    " appmetrica_push_opens appmetrica_push_send_count appmetrica_sdk_version appmetrica_sessions"
    " mcc mnc publisher_id response_code revenue_quantity session_id"
)
_UNSIGNED = _names("appmetrica_device_id crash_group_id crash_id tracking_id")
# is_revenue_verified is text: it has a third value, "undefined".
_BOOLEANS = _names(
    "appmetrica_notifications_enabled is_bot is_reattribution is_reengagement is_reinstallation"
)
_JSON = _names(
    "ad_revenue_payload ecom_cart_item_internal_components ecom_order_payload"
    " ecom_product_actual_price_internal_components"
    " ecom_product_original_price_internal_components ecom_product_payload"
    " ecom_product_promocodes ecom_screen_payload event_json"
)


def kind_of(field: str) -> Kind:
    """The kind of a field, the same in every table; a custom profile attribute is text."""
    if field in _INTEGERS:
        return Kind.INTEGER
    if field in _UNSIGNED:
        return Kind.UNSIGNED
    if field in _BOOLEANS:
        return Kind.BOOLEAN
    if field in _JSON:
        return Kind.JSON
    if field.endswith("_timestamp"):
        return Kind.TIMESTAMP
    if field.endswith("_datetime"):
        return Kind.DATETIME
    return Kind.TEXT


def _fields(text: str) -> dict[str, Kind]:
    return {field: kind_of(field) for field in text.split(",")}


def _ten(prefix: str) -> str:
    return ",".join(f"{prefix}_{number}" for number in range(1, 11))


_EVENTS = Table(
    "events",
    _fields(
        "event_datetime,event_json,event_name,event_receive_datetime,event_receive_timestamp,"
        "event_timestamp,session_id,installation_id,appmetrica_device_id,city,connection_type,"
        "country_iso_code,device_ipv6,device_locale,device_manufacturer,device_model,device_type,"
        "google_aid,ios_ifa,ios_ifv,mcc,mnc,operator_name,original_device_model,os_name,"
        "os_version,profile_id,windows_aid,app_build_number,app_package_name,app_version_name,"
        "application_id"
    ),
    "event",
    "event_receive",
)
_INSTALLATIONS = Table(
    "installations",
    _fields(
        "application_id,installation_id,attributed_touch_type,click_datetime,click_id,click_ipv6,"
        "click_timestamp,click_url_parameters,click_user_agent,profile_id,publisher_id,"
        "publisher_name,tracker_name,tracking_id,install_datetime,install_ipv6,"
        "install_receive_datetime,install_receive_timestamp,install_timestamp,is_reattribution,"
        "is_reinstallation,match_type,appmetrica_device_id,city,connection_type,country_iso_code,"
        "device_locale,device_manufacturer,device_model,device_type,google_aid,oaid,ios_ifa,"
        "ios_ifv,mcc,mnc,operator_name,os_name,os_version,windows_aid,app_package_name,"
        "app_version_name"
    ),
    "install",
    "install_receive",
)
# Custom attributes of profiles are further fields, asked for by their names.
# Dates select profiles that were updated in the window; rows do not tell when.
_PROFILES = Table(
    "profiles_v2",
    _fields(
        "profile_id,appmetrica_gender,appmetrica_birth_date,appmetrica_notifications_enabled,"
        "appmetrica_name,appmetrica_crashes,appmetrica_errors,appmetrica_first_session_date,"
        "appmetrica_last_start_date,appmetrica_push_opens,appmetrica_push_send_count,"
        "appmetrica_sdk_version,appmetrica_sessions,android_id,appmetrica_device_id,city,"
        "connection_type,country_iso_code,device_manufacturer,device_model,device_type,google_aid,"
        "ios_ifa,ios_ifv,mcc,mnc,operator_name,os_name,os_version,windows_aid,app_build_number,"
        "app_framework,app_package_name,app_version_name"
    ),
    None,
    None,
    takes_date_dimension=False,
)
_SESSIONS_STARTS = Table(
    "sessions_starts",
    _fields(
        "session_id,session_start_datetime,session_start_receive_datetime,"
        "session_start_receive_timestamp,session_start_timestamp,appmetrica_device_id,city,"
        "connection_type,country_iso_code,device_ipv6,device_locale,device_manufacturer,"
        "device_model,device_type,google_aid,ios_ifa,ios_ifv,mcc,mnc,operator_name,os_name,"
        "os_version,profile_id,windows_aid,app_build_number,app_package_name,app_version_name,"
        "application_id"
    ),
    "session_start",
    "session_start_receive",
    also_fields=_fields("original_device_model"),
)
_CRASHES = Table(
    "crashes",
    _fields(
        "crash,crash_datetime,crash_group_id,crash_id,crash_name,crash_receive_datetime,"
        "crash_receive_timestamp,crash_timestamp,appmetrica_device_id,city,connection_type,"
        "country_iso_code,device_ipv6,device_locale,device_manufacturer,device_model,device_type,"
        "google_aid,ios_ifa,ios_ifv,mcc,mnc,operator_name,os_name,os_version,profile_id,"
        "windows_aid,app_package_name,app_version_name,application_id"
    ),
    "crash",
    "crash_receive",
)
_ERRORS = Table(
    "errors",
    _fields(
        "error,error_datetime,error_id,error_name,error_receive_datetime,error_receive_timestamp,"
        "error_timestamp,appmetrica_device_id,city,connection_type,country_iso_code,device_ipv6,"
        "device_locale,device_manufacturer,device_model,device_type,google_aid,ios_ifa,ios_ifv,"
        "mcc,mnc,operator_name,os_name,os_version,profile_id,windows_aid,app_package_name,"
        "app_version_name,application_id"
    ),
    "error",
    "error_receive",
)
# The page lists date_dimension for it, though without dates it chooses nothing.
_PUSH_TOKENS = Table(
    "push_tokens",
    _fields(
        "token,token_datetime,token_receive_datetime,token_receive_timestamp,token_timestamp,"
        "appmetrica_device_id,city,connection_type,country_iso_code,device_ipv6,device_locale,"
        "device_manufacturer,device_model,device_type,google_aid,ios_ifa,ios_ifv,mcc,mnc,"
        "operator_name,os_name,os_version,profile_id,windows_aid,app_package_name,"
        "app_version_name,application_id"
    ),
    "token",
    "token_receive",
    takes_dates=False,
    takes_date_dimension=False,
)
_DEEPLINKS = Table(
    "deeplinks",
    _fields(
        "deeplink_url_host,deeplink_url_parameters,deeplink_url_path,deeplink_url_scheme,"
        "event_datetime,event_receive_datetime,event_receive_timestamp,event_timestamp,"
        "is_reengagement,profile_id,publisher_id,publisher_name,session_id,tracker_name,"
        "tracking_id,android_id,appmetrica_device_id,appmetrica_sdk_version,city,connection_type,"
        "country_iso_code,device_ipv6,device_locale,device_manufacturer,device_model,google_aid,"
        "ios_ifa,ios_ifv,mcc,mnc,original_device_model,os_version,windows_aid,app_build_number,"
        "app_package_name,app_version_name"
    ),
    "event",
    "event_receive",
    also_fields=_fields("device_type"),
)
_REVENUE_EVENTS = Table(
    "revenue_events",
    _fields(
        "revenue_quantity,revenue_price,revenue_currency,revenue_product_id,revenue_order_id,"
        "revenue_order_id_source,is_revenue_verified,event_datetime,event_name,"
        "event_receive_datetime,event_receive_timestamp,event_timestamp,session_id,"
        "installation_id,android_id,appmetrica_device_id,appmetrica_sdk_version,city,"
        "connection_type,country_iso_code,device_ipv6,device_locale,device_manufacturer,"
        "device_model,google_aid,ios_ifa,ios_ifv,mcc,mnc,operator_name,original_device_model,"
        "os_version,profile_id,windows_aid,app_build_number,app_package_name,app_version_name"
    ),
    "event",
    "event_receive",
)
_AD_REVENUE_EVENTS = Table(
    "ad_revenue_events",
    _fields(
        "ad_revenue_datetime,ad_revenue_timestamp,ad_revenue_receive_datetime,"
        "ad_revenue_receive_timestamp,ad_revenue,ad_revenue_currency,ad_revenue_type,"
        "ad_revenue_data_source,ad_revenue_network,ad_revenue_placement_id,"
        "ad_revenue_placement_name,ad_revenue_unit_id,ad_revenue_unit_name,ad_revenue_precision,"
        "ad_revenue_payload,session_id,installation_id,android_id,appmetrica_device_id,"
        "appmetrica_sdk_version,city,connection_type,country_iso_code,device_ipv6,device_locale,"
        "device_manufacturer,device_model,device_type,google_aid,ios_ifa,ios_ifv,mcc,mnc,"
        "operator_name,original_device_model,os_version,profile_id,windows_aid,app_build_number,"
        "app_package_name,app_version_name"
    ),
    "ad_revenue",
    "ad_revenue_receive",
)
_ECOMMERCE_EVENTS = Table(
    "ecommerce_events",
    _fields(
        "ecom_type,ecom_screen_name,ecom_screen_search_query,ecom_screen_payload,"
        f"{_ten('ecom_screen_category_path')},"
        "ecom_product_name,ecom_product_sku,ecom_product_promocodes,ecom_product_payload,"
        f"{_ten('ecom_product_category_path')},"
        "ecom_product_actual_price_fiat_unit_type,ecom_product_actual_price_fiat_value,"
        "ecom_product_actual_price_internal_components,ecom_product_original_price_fiat_unit_type,"
        "ecom_product_original_price_fiat_value,ecom_product_original_price_internal_components,"
        "ecom_cart_item_price_fiat_unit_type,ecom_cart_item_price_fiat_value,"
        "ecom_cart_item_quantity,ecom_cart_item_internal_components,ecom_referrer_type,"
        "ecom_referrer_id,ecom_order_id,ecom_order_payload,event_datetime,event_name,"
        "event_receive_datetime,event_receive_timestamp,event_timestamp,session_id,"
        "installation_id,android_id,appmetrica_device_id,appmetrica_sdk_version,city,"
        "connection_type,country_iso_code,device_ipv6,device_locale,device_manufacturer,"
        "device_model,device_type,google_aid,ios_ifa,ios_ifv,mcc,mnc,operator_name,"
        "original_device_model,os_version,profile_id,windows_aid,app_build_number,"
        "app_package_name,app_version_name"
    ),
    "event",
    "event_receive",
    also_fields=_fields("event_json,os_name,application_id"),
)
# A click happens at the vendor's own server, so it is received when it is made.
_CLICKS = Table(
    "clicks",
    _fields(
        "application_id,click_datetime,click_id,click_ipv6,click_timestamp,click_url_parameters,"
        "click_user_agent,publisher_id,publisher_name,tracker_name,tracking_id,touch_type,is_bot,"
        "city,country_iso_code,device_manufacturer,device_model,device_type,google_aid,oaid,"
        "ios_ifa,ios_ifv,os_name,os_version,windows_aid"
    ),
    "click",
    None,
)
# The page's list prints `cost_model (postback_type)`; the field is called cost_model.
_POSTBACKS = Table(
    "postbacks",
    _fields(
        "application_id,attributed_touch_type,click_datetime,click_id,click_ipv6,click_timestamp,"
        "click_url_parameters,click_user_agent,publisher_id,publisher_name,tracker_name,"
        "tracking_id,install_datetime,install_ipv6,install_timestamp,match_type,"
        "appmetrica_device_id,device_locale,device_manufacturer,device_model,device_type,"
        "google_aid,oaid,ios_ifa,os_name,os_version,windows_aid,app_package_name,"
        "app_version_name,conversion_datetime,conversion_timestamp,event_name,attempt_datetime,"
        "attempt_timestamp,cost_model,notifying_status,postback_url,postback_url_parameters,"
        "response_body,response_code"
    ),
    "attempt",
    None,
    takes_date_dimension=False,
    also_fields=_fields("ios_ifv"),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _EVENTS,
        _INSTALLATIONS,
        _PROFILES,
        _SESSIONS_STARTS,
        _CRASHES,
        _ERRORS,
        _PUSH_TOKENS,
        _DEEPLINKS,
        _REVENUE_EVENTS,
        _AD_REVENUE_EVENTS,
        _ECOMMERCE_EVENTS,
        _CLICKS,
        _POSTBACKS,
    )
}
