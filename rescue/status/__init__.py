"""The state of the machine and its mirrors: assessed from records, told as figures and alarms."""
