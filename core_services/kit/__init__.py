"""What the core services share: database, errors, callers, idempotency, telemetry.

No domain of its own.
"""
