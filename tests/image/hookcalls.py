"""A hook's call for tests to change: it does nothing, and a run ends with it."""

from rescue.model.run.hook import HookCall, HookWhen, OnFailure

CALL = HookCall(
    label="probe",
    when=HookWhen.BEFORE,
    argv=("true",),
    user="",
    dump="",
    timeout_seconds=60,
    environment={},
    on_failure=OnFailure.ABORT,
)
