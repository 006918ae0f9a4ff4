from hypothesis import given
from hypothesis import strategies as st

from holoflow.app.cycles import components, cycles, reach


@st.composite
def graphs(draw):
    size = draw(st.integers(0, 8))
    node = st.integers(0, max(0, size - 1))
    return [sorted(draw(st.sets(node, max_size=3))) for _ in range(size)]


def reached(graph, start):
    """Nodes that a path of one flow or more leads to, by trying all."""
    found, waiting = set(), [start]
    while waiting:
        for successor in graph[waiting.pop()]:
            if successor not in found:
                found.add(successor)
                waiting.append(successor)
    return found


@given(graphs())
def test_components_are_what_reaches_one_another(graph):
    found = components(graph)
    assert sorted(node for component in found for node in component) == list(range(len(graph)))
    position = {node: i for i, component in enumerate(found) for node in component}
    for a in range(len(graph)):
        for b in range(len(graph)):
            together = a == b or (b in reached(graph, a) and a in reached(graph, b))
            assert (position[a] == position[b]) == together
            if b in graph[a]:
                assert position[b] <= position[a]


@given(graphs())
def test_cycles_are_cycles_and_every_component_with_one_has_one(graph):
    found = cycles(graph)
    for cycle in found:
        assert cycle[0] == min(cycle)
        assert len(set(cycle)) == len(cycle)
        assert all(b in graph[a] for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True))
    circular = [c for c in components(graph) if any(n in reached(graph, n) for n in c)]
    assert len(found) == len(circular)


@given(graphs(), st.data())
def test_reach(graph, data):
    nodes = st.integers(0, len(graph) - 1)
    targets = data.draw(st.lists(nodes, max_size=4)) if graph else []
    for node, bits in enumerate(reach(graph, targets)):
        expected = {node} | reached(graph, node)
        assert [bits >> i & 1 for i in range(len(targets))] == [t in expected for t in targets]


def test_a_long_chain_needs_no_recursion():
    size = 50_000
    chain = [[i + 1] for i in range(size - 1)] + [[]]
    assert reach(chain, [size - 1])[0] == 1
    assert cycles([[(i + 1) % size] for i in range(size)]) == [list(range(size))]
