{# A number is not smaller than `least`; null is no number. Lists the values that are. Fails when there is any. #}
{% test at_least(model, column_name, least) %}

select {{ column_name }}
from {{ model }}
where {{ column_name }} < {{ least }}

{% endtest %}
