from holoflow.operators.capture._timeline import at_rate


def test_a_rate_does_not_drift():
    assert at_rate(30_000 * 3600, 30_000 / 1001) == 1001 * 3600 * 10**9
