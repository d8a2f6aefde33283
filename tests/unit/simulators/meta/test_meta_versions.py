"""Which version a path asks for, and which one answers."""

from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulators.meta.errors import GraphError
from simulators.meta.versions import LATEST, OLDEST, served
from tests.rows import each_row

MODES: tuple[Literal["upgrade", "strict"], ...] = ("upgrade", "strict")
every_mode = each_row("mode", MODES)


@every_mode
@each_row("number", range(OLDEST, LATEST + 1))
def test_a_living_version_serves_itself(number: int, mode: Literal["upgrade", "strict"]) -> None:
    """Without a warning, in either mode."""
    assert served(f"/v{number}.0/1/events", mode) == (f"v{number}.0", "/1/events", None)


@every_mode
@each_row("path", ["/1/events", "/me", "/", "", "/v21/1/events", "/v21.0x/1", "/v/1"])
def test_a_path_without_a_version_is_served_by_the_oldest(path: str, mode: Literal["upgrade", "strict"]) -> None:
    """What only looks like a version belongs to the path."""
    assert served(path, mode) == ("v21.0", path, None)


@each_row("asked", ["v1.0", "v2.12", "v16.0", "v20.0"])
def test_a_version_that_is_gone(asked: str) -> None:
    """Upgraded with a warning that names both, or refused with 2635."""
    version, path, warning = served(f"/{asked}/1/events", "upgrade")
    assert (version, path) == ("v21.0", "/1/events")
    assert warning == f"The call has been auto-upgraded to v21.0 as {asked} has been deprecated."
    with pytest.raises(GraphError) as caught:
        served(f"/{asked}/1/events", "strict")
    assert (caught.value.code, caught.value.status) == (2635, 400)
    assert "v26.0" in caught.value.message


@every_mode
@each_row("asked", ["v27.0", "v99.0", "v999.0", "v21.1", "v26.12"])
def test_a_version_that_does_not_exist(asked: str, mode: Literal["upgrade", "strict"]) -> None:
    """2500, in either mode."""
    with pytest.raises(GraphError) as caught:
        served(f"/{asked}/1/events", mode)
    assert caught.value.code == 2500


@example(path="/v٢٥.0/1/events")
@settings(deadline=None, derandomize=True)
@given(path=st.text(max_size=20) | st.from_regex(r"/v\d{1,4}\.\d{1,3}(/.*)?"))
def test_any_path_is_served_or_refused(path: str) -> None:
    """What is served is a living version, written in ASCII, and what is left of the path ends it."""
    try:
        version, rest, _ = served(path, "upgrade")
    except GraphError as error:
        code = error.code
    else:
        code = 0
        assert version in {f"v{number}.0" for number in range(OLDEST, LATEST + 1)}
        assert path.endswith(rest)
    assert code in {0, 2500}
