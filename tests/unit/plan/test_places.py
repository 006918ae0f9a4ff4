"""What the one who starts an app says of places goes before what the app says."""

from __future__ import annotations

import pytest
from support.graphs import App, Pass, Sink, Source, app, flow, fragment, node

from holoflow.app.graph import Scheduler
from holoflow.core.errors import HoloflowError
from holoflow.plan import plan
from holoflow.plan.hosts import FragmentAddress, addresses, given_from_outside, put, read_places


def two(**fields: object) -> App:
    """A source on the host `edge`, and a sink with `fields`."""
    return app(
        [node("source", Source), node("pass", Pass), node("sink", Sink)],
        [flow("source", "pass"), flow("pass", "sink")],
        fragments=[
            fragment("feed", "source", "pass", host="edge", gpu=4, cores=(2, 3), exclusive=True),
            fragment("view", "sink", **fields),
        ],
    )


def test_hosts_are_given_by_fragment_and_the_last_word_holds() -> None:
    assert read_places(["feed=a", "view=10.0.0.1", "feed=b"]) == {"feed": "b", "view": "10.0.0.1"}


@pytest.mark.parametrize("text", ["feed", "feed=", "=edge", "feed=a b", "feed=tcp://x", "feed=-x"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(HoloflowError, match=r"names no host; write FRAGMENT=HOST, such as \w+=ed"):
        read_places([text])


def test_a_fragment_is_reached_where_it_was_put() -> None:
    moved = put(two(), {"view": "screen", "feed": "camera"})
    planned = plan(moved, here=["feed"])
    assert addresses(planned, {}) == {"view": FragmentAddress("screen", 7421)}
    assert moved.fragments["feed"].host == "camera"
    assert put(two(), {}) == two()


def test_an_unknown_fragment_is_said_with_the_nearest() -> None:
    with pytest.raises(HoloflowError, match="unknown fragment 'veiw'; did you mean 'view'"):
        put(two(), {"veiw": "a"})
    with pytest.raises(HoloflowError, match="the app has feed, view"):
        put(two(), {"x": "a"})
    with pytest.raises(HoloflowError, match="the app has none"):
        put(app([node("source", Source)], []), {"x": "a"})


def test_a_container_gives_cores_and_numbers_its_own_gpus() -> None:
    scheduler = Scheduler("event", 2, (7,))
    made = given_from_outside(two(gpu=2, scheduler=scheduler), ["feed", "view"])
    feed, view = made.fragments.values()
    assert (feed.gpu, view.gpu) == (1, 0)
    assert not feed.cores
    assert not feed.exclusive
    assert view.scheduler == Scheduler("event", 2)


def test_gpus_of_fragments_elsewhere_are_not_counted() -> None:
    made = given_from_outside(two(gpu=2), ["feed"])
    assert [f.gpu for f in made.fragments.values()] == [0, 2]
    assert two(gpu=4).fragments["view"].gpu == 4
    shared = given_from_outside(two(gpu=4), ["feed", "view"])
    assert [f.gpu for f in shared.fragments.values()] == [0, 0]
    assert given_from_outside(two(), ["view"]).fragments["view"].gpu is None
