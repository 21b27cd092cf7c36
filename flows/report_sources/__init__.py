"""The CRM and the telemetry database: what is read of them, and how it travels."""
