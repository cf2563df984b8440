"""Where a machine stands: assessed from records, told as figures and alarms."""
