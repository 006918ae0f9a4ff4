"""A log of flow tracking as HoloHub's scripts understand it."""

from collections import defaultdict
from itertools import pairwise


def parse(text):
    """Read a log as HoloHub's scripts do: by its arrows, brackets and commas, nothing else.

    Returns the end-to-end times in milliseconds by path, and the times of each operator and of
    each step between two. Of two like lines that end within 20 µs they count the first alone.
    """
    latencies, working, between = defaultdict(list), defaultdict(list), defaultdict(list)
    last = None
    for line in text.splitlines():
        if line[0] != "(":
            continue
        stops = [stop.strip()[1:-1].split(",") for stop in line.split("->")]
        path = "→ ".join(stop[0] for stop in stops)
        began, ended = int(stops[0][1]), int(stops[-1][2])
        now = path, stops[0][1:], ended
        if last and last[:2] == now[:2] and abs(last[2] - ended) <= 20:
            continue
        last = now
        latencies[path].append((ended - began) / 1000)
        for name, received, published in stops:
            working[name].append((int(published) - int(received)) / 1000)
        for one, other in pairwise(stops):
            between[one[0], other[0]].append((int(other[1]) - int(one[2])) / 1000)
    return latencies, working, between
