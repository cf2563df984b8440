"""Whatever a parser is given, it answers as it says, or raises what its docstring names."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import files, state, tools
from tests.fuzz.declared import expect_declared
from tests.fuzz.effort import TRIES
from tests.fuzz.target import Target

TARGETS = (*files.TARGETS, *state.TARGETS, *tools.TARGETS)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@TRIES
@given(data=st.data())
def test_it_answers_or_raises_what_it_says(target: Target, data: st.DataObject) -> None:
    with contextlib.suppress(*target.errors):
        expect_declared(target.parse(data.draw(target.inputs)))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_whole_specimen_is_answered(target: Target) -> None:
    for specimen in target.specimens:
        expect_declared(target.parse(specimen))
