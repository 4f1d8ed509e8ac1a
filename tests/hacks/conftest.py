"""The sandbox that attempts to break out are made in."""

from collections.abc import Iterator

import pytest
from sandboxes import ATTEMPT_LIMITS, CONTAINED, traces, why_not

from turnwise_envs.sandbox import Sandbox, open_sandbox


@pytest.fixture(params=CONTAINED)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    if reason := why_not(request.param):
        pytest.skip(f"{request.param} does not work here: {reason}")
    before = traces()
    with open_sandbox(request.param, ATTEMPT_LIMITS) as sandbox:
        yield sandbox
        assert sandbox.run(["echo", "well"]).stdout == "well\n"
    assert traces() == before
