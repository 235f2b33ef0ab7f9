"""What can be done with the directory: functions that get a connection and, mostly, the tenant whose part is meant."""
