"""What a run will cost, before it is paid: counts from the source and the settings, times from measurements."""
