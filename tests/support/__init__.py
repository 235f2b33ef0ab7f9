"""Shared test helpers: hosts, services, processes and telemetry."""
