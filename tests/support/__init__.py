"""What the tests of several folders share: hosts, services, processes and telemetry."""
