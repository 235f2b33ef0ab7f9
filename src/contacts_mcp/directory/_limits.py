"""Limits of the served directory that the command line shows as well."""

DEFAULT_RATE_LIMIT = 1_200
"""Requests a minute that each key may make, unless the service is started with another limit."""

KEY_CACHE_SECONDS = 3
"""How long a service trusts what it last read about a key, and so how long a revoked key may still work."""
