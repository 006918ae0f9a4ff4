"""What fragments get, and what gets in the way of that."""

from __future__ import annotations

import pytest

APP = """\
app: x
operators:
  camera: {type: "./ops.py:CameraOp"}
  detect: {type: "./ops.py:DetectOp", inputs: {image: camera}}
fragments:
  a: {operators: [camera], HERE}
  b: {operators: [detect]}
"""


def one(mistakes, text, files=None):
    found = mistakes(text, files)
    assert len(found) == 1
    return str(found[0]).partition(": ")[2]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("host: «3", "'host' cannot be 3; it is text of the form"),
        ("host: «'a b'", "'host' cannot be \"a b\""),
        ("host: «'tcp://a'", "'host' cannot be \"tcp://a\""),
        ("host: «''", "'host' cannot be \"\""),
        ("port: «0", "'port' cannot be 0; it is a whole number from 1 to 65535"),
        ("port: «65536", "'port' cannot be 65536"),
        ("gpu: «one", "'gpu' cannot be \"one\"; it is a whole number of at least 0"),
        ("cores: «3", "'cores' cannot be 3; it is a list, each a whole number of at least 0"),
        ("cores: [1, «-1]", "'cores[1]' cannot be -1"),
        ("«core: [1]", "unknown key 'core' of fragment 'a'; did you mean 'cores'?"),
        ("gpu: 0, exclusive: «yes", "'exclusive' cannot be \"yes\"; write true or false"),
        ("«exclusive: true", "fragment 'a' is exclusive, but has no GPU and no cores; write gpu:"),
        ("scheduler: «fast", "this cannot be \"fast\"; "),
        ("scheduler: {kind: «fast}", "'kind' cannot be \"fast\"; it is one of greedy"),
        ("scheduler: {«worker: 1}", "unknown key 'worker' of the scheduler of 'a'; did you mean"),
        ("cores: [0, 1], scheduler: {cores: «[1, 2]}",
         "its scheduler has workers on core 2, which fragment 'a' may not use; add them to cores:"),
        ("environment: «[A]", "'environment' cannot be [\"A\"]; it is a mapping"),
        ("environment: {«a b: c}", "'a b' cannot be the name of an environment variable; use"),
        ("environment: {«'': c}", "'' cannot be the name of an environment variable"),
        ("environment: {A: «[1]}", "'A' cannot be [1]; write text, a number, true or false"),
        ("environment: {A: «~}", "'A' cannot be nothing; write text"),
        ('environment: {A: «"a\\0b"}', "'A' contains a zero byte; remove it"),
        ("gpu: 0, environment: {«CUDA_VISIBLE_DEVICES: 1}", "'gpu' sets CUDA_VISIBLE_DEVICES"),
        ("memory: «2", "'memory': a bare number where a unit belongs: 2; write a number with"),
        ("memory: «2 GHz", "'memory': unknown unit 'GHz'"),
        ("memory: «0B", "'memory' cannot be \"0B\"; it should be greater than 0"),
        ("hang: «30", "'hang': a bare number where a unit belongs"),
        ("hang: «0s", "'hang' cannot be \"0s\"; it should be greater than 0"),
        ("restart: «sometimes", "'restart' cannot be \"sometimes\"; it is one of never, on-"),
        ("restart: always, restarts: «-1", "'restarts' cannot be -1; it is a whole number of"),
        ("«restarts: 3", "fragment 'a' is never started again; write restart: on-failure or"),
    ],
)  # fmt: skip
def test_a_key(mistakes, key, message):
    assert one(mistakes, APP.replace("HERE", key)).startswith(message)


def test_cores_outside_those_of_the_app_scheduler(mistakes):
    text = "scheduler: {cores: [0, 5]}\n" + APP.replace("HERE", "cores: «[0, 1]")
    message = one(mistakes, text)
    assert message.startswith("the app's scheduler has workers on core 5, which fragment 'a' may")


def test_all_that_is_wrong_is_told_at_once(mistakes):
    keys = "port: «0, cores: [«-1], environment: {«1: a, B: «[]}, memory: «1, restart: «no"
    assert len(mistakes(APP.replace("HERE", keys).replace("{«1", "{«'1'"))) == 6


def test_values_of_variables(load_text):
    keys = "host: '${H:-}', gpu: '${G:-2}', environment: {A: '${G:-2}', B: 'x${G:-}'}"
    placed = load_text(APP.replace("HERE", keys)).fragments["a"]
    assert (placed.host, placed.gpu) == (None, 2)
    assert placed.environment == {"A": "2", "B": "x"}


# -- who gets in whose way -------------------------------------------------------------------

TWO = """\
app: x
operators:
  camera: {type: "./ops.py:CameraOp"}
  detect: {type: "./ops.py:DetectOp", inputs: {image: camera}}
fragments:
  a: {operators: [camera], A}
  «b: {operators: [detect], B}
"""


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("gpu: 1, exclusive: true", "gpu: 1", "'a' and 'b' both have GPU 1, which is for 'a' alone;"
         " give one of them another, or remove exclusive"),
        ("gpu: 1", "gpu: 1, exclusive: true", "both have GPU 1, which is for 'b' alone"),
        ("cores: [0, 1], exclusive: true", "cores: [1]", "both have core 1, which is for 'a'"),
        ("port: 7500", "port: 7500", "are on one host and both have port 7500; give one of them"),
    ],
)  # fmt: skip
def test_two_fragments_of_one_host(mistakes, load_text, a, b, message):
    text = TWO.replace("A}", f"{a}}}").replace("B}", f"{b}}}")
    assert message in one(mistakes, text)
    assert message in one(mistakes, text.replace("operators: [", "host: h, operators: ["))
    apart = text.replace("«", "").replace("a: {operators", "a: {host: h, operators")
    assert load_text(apart).fragments


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("gpu: 1", "gpu: 1"),
        ("gpu: 1, exclusive: true", "gpu: 0"),
        ("gpu: 1, exclusive: true", "cores: [1]"),
        ("cores: [0], exclusive: true", "cores: [1, 2], exclusive: true"),
        ("port: 7500", "port: 7501"),
    ],
)
def test_fragments_that_get_along(load_text, a, b):
    text = TWO.replace("A}", f"{a}}}").replace("B}", f"{b}}}").replace("«", "")
    assert len(load_text(text).fragments) == 2


DEVICES = """\
app: x
operators:
  left: {type: "./ops.py:DeviceOp"}
  «right: {type: "./ops.py:DeviceOp", with: {device: 0}}
"""


def test_two_operators_that_need_one_device(mistakes, load_text):
    message = one(mistakes, DEVICES)
    assert message == "operators 'left' and 'right' both need device 0; only one can have it; " \
        "give one of them another"  # fmt: skip
    fragments = "fragments: {a: {operators: [left]}, b: {operators: [right]}}\n"
    assert one(mistakes, DEVICES + fragments) == message
    apart = fragments.replace("[right]", "[right], host: h")
    assert load_text(DEVICES.replace("«", "") + apart).fragments
    assert load_text(DEVICES.replace("«", "").replace("device: 0", "device: 1")).operators


def test_operators_of_reusable_fragments_are_told_where_they_are_used(mistakes):
    files = {"own.yaml": 'fragment: own\noperators: {camera: {type: "./ops.py:DeviceOp"}}\n'}
    text = "app: x\noperators:\n  left: {use: ./own.yaml}\n  «right: {use: ./own.yaml}\n"
    message = one(mistakes, text, files)
    assert message.startswith("operators 'left.camera' and 'right.camera' both need device 0")


@pytest.mark.parametrize("device", ["13", "«x"])
def test_claims_that_cannot_be_had_are_none(mistakes, load_text, device):
    text = DEVICES.replace("«", "").replace("device: 0", f"device: {device}")
    if "«" in device:
        mistakes(text)
    else:
        assert load_text(text).operators


@pytest.mark.parametrize(
    ("operators", "claim"),
    [
        ("""  a: {type: capture.camera}
  «b: {type: capture.camera, with: {device: /dev/video0}}""", "/dev/video0"),
        ("""  c: {type: "./ops.py:CameraOp"}
  a: {type: visualize.web, inputs: {image: c}, with: {port: 8400}}
  «b: {type: visualize.web, inputs: {image: c}, with: {port: 8400}}""", "port 8400"),
        ("""  c: {type: "./ops.py:CameraOp"}
  a: {type: io.video_writer, inputs: {image: c}, with: {path: ./out.mp4}}
  «b: {type: io.video_writer, inputs: {image: c}, with: {path: out.mp4}}""", "the file out.mp4"),
        ("""  c: {type: "./ops.py:CameraOp"}
  a: {type: io.json_lines, inputs: {image: c}}
  «b: {type: io.json_lines, inputs: {image: c}}""", "the file results.jsonl"),
        ("""  c: {type: "./ops.py:CameraOp"}
  a: {type: io.npz, inputs: {image: c}}
  «b: {type: io.npz, inputs: {image: c}}""", "the file {sequence}.npz"),
        ("""  c: {type: "./ops.py:CameraOp"}
  a: {type: io.image_writer, inputs: {image: c}}
  «b: {type: io.image_writer, inputs: {image: c}}""", "the file {sequence}.png"),
    ],
)  # fmt: skip
def test_what_operators_of_the_catalogue_need_alone(mistakes, operators, claim):
    message = one(mistakes, f"app: x\noperators:\n{operators}\n")
    assert f"operators 'a' and 'b' both need {claim}; " in message


def test_pages_take_any_free_port(load_text):
    web = "{type: visualize.web, inputs: {image: c}}"
    text = f'app: x\noperators:\n  c: {{type: "./ops.py:CameraOp"}}\n  a: {web}\n  b: {web}\n'
    assert len(load_text(text).operators) == 3
