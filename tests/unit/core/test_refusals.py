import logging

from holoflow.core.listener import Refusals


def test_all_are_counted_and_few_are_told(caplog):
    now = [0.0]
    refusals = Refusals(logging.getLogger("holoflow.link"), lambda: now[0])
    with caplog.at_level(logging.WARNING, "holoflow.link"):
        for _ in range(5):
            refusals.add("key", "someone has a wrong key")
        refusals.add("app", "someone is of another app")
        now[0] = 11.0
        refusals.add("key", "someone has a wrong key")
    assert caplog.messages == [
        "refused: someone has a wrong key",
        "refused: someone is of another app",
        "refused: someone has a wrong key (and 4 more before)",
    ]
    assert refusals.counts == {"key": 6, "app": 1}
