"""What an app says of the flows between its fragments."""

from __future__ import annotations

import pytest

APP = """\
app: x
operators:
  camera: {type: "./ops.py:CameraOp"}
  detect: {type: "./ops.py:DetectOp", inputs: {image: camera}}
  gray: {type: "./ops.py:GrayOp", inputs: {image: INPUT}}
fragments:
  a: {operators: [camera, detect]}
  b: {operators: [gray]}
"""
TEXT = '  text: {type: "./own.py:TextOp", inputs: {text: INPUT}}\n'
OWN = (
    "from holoflow import Operator, Text\n"
    "class TextOp(Operator):\n    def process(self, text: Text) -> None: ...\n"
)


def one(mistakes, text, files=None):
    found = mistakes(text, files)
    assert len(found) == 1
    return str(found[0]).partition(": ")[2]


def last(app):
    return app.flows[-1]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", ("auto", "none", 90, True)),
        (", link: auto, compress: none", ("auto", "none", 90, True)),
        (", compress: zstd", ("auto", "zstd", 90, True)),
        (", compress: jpeg, quality: 1, encrypt: false", ("auto", "jpeg", 1, False)),
        (", link: zeromq, compress: jpeg", ("zeromq", "jpeg", 90, True)),
        (", link: shared_memory", ("shared_memory", "none", 90, True)),
        (", link: ucx", ("ucx", "none", 90, True)),
    ],
)
def test_a_flow_between_fragments(load_text, said, expected):
    flow = last(load_text(APP.replace("INPUT", f"{{from: camera{said}}}")))
    assert (flow.link, flow.compress, flow.quality, flow.encrypt) == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("compress: «gzip", "'compress' cannot be \"gzip\"; it is one of none, zstd, jpeg"),
        ("compress: jpeg, quality: «0", "'quality' cannot be 0; it is a whole number from 1 to"),
        ("compress: jpeg, quality: «101", "'quality' cannot be 101"),
        ("encrypt: «no", "'encrypt' cannot be \"no\"; write true or false"),
        ("«compres: zstd", "unknown key 'compres' of input 'image'; did you mean 'compress'?"),
        ("compress: zstd, «quality: 80", "'quality' is for JPEG only; write compress: jpeg, or"),
        ("«quality: 80", "'quality' is for JPEG only"),
        ("link: shared_memory, «compress: zstd",
         "'compress' of a flow that shared_memory carries; write link: zeromq, or remove compress"),
        ("link: ucx, «encrypt: true", "'encrypt' of a flow that ucx carries; write link: zeromq"),
    ],
)  # fmt: skip
def test_a_key(mistakes, said, message):
    text = APP.replace("INPUT", f"{{from: camera, {said}}}")
    assert one(mistakes, text).startswith(message)


def test_jpeg_is_for_images(mistakes):
    said = "{from: detect.text, link: zeromq, «compress: jpeg}"
    text = APP.replace("INPUT", "camera").replace("[gray]", "[gray, text]")
    text = text.replace("fragments:", TEXT.replace("INPUT", said) + "fragments:")
    message = one(mistakes, text, {"own.py": OWN})
    assert message == "JPEG is for images; 'detect.text' sends Text; write compress: zstd"


@pytest.mark.parametrize(
    ("key", "where"),
    [
        ("link: zeromq", "inside fragment 'a'"), ("link: shared_memory", "inside fragment 'a'"),
        ("compress: zstd", "inside fragment 'a'"), ("encrypt: false", "inside fragment 'a'"),
        ("quality: 3", "inside fragment 'a'"),
    ],
)  # fmt: skip
def test_inside_a_fragment_there_is_no_link(mistakes, key, where):
    text = APP.replace("INPUT", "camera")
    text = text.replace(
        "{image: camera}}\n  gray", f"{{image: {{from: camera, «{key}}}}}}}\n  gray"
    )
    name = key.partition(":")[0]
    message = f"'{name}' of a flow {where}, which no link carries; remove it, or place its two ends"
    assert one(mistakes, text).startswith(message)
    alone = text.partition("fragments:")[0]
    for empty in ("", "fragments:\n", "fragments: {}\n"):
        message = message.replace(where, "in an app without fragments")
        assert one(mistakes, alone + empty).startswith(message)


def test_what_says_nothing_may_stand_anywhere(load_text):
    text = APP.replace("{image: camera}}\n  g", "{image: {from: camera, link: auto}}}\n  g")
    text = text.replace("INPUT", "camera")
    assert load_text(text).flows[0].link == "auto"
    assert load_text(text.partition("fragments:")[0]).flows[0].link == "auto"


SPLIT = """\
app: x
operators:
  camera: {type: "./ops.py:CameraOp"}
  both: {use: ./both.yaml, inputs: {image: {from: camera, «link: zeromq}}}
"""
BOTH = """\
fragment: both
inputs: {image: [one.image, two.image]}
operators:
  one: {type: "./ops.py:GrayOp"}
  two: {type: "./ops.py:GrayOp"}
"""


def test_an_input_of_a_reusable_fragment_that_leads_to_two_places(load_text, mistakes):
    files = {"both.yaml": BOTH}
    placed = "fragments: {a: {operators: [camera, both.one]}, b: {operators: [both.two]}}\n"
    app = load_text(SPLIT.replace("«", "") + placed, files)
    assert [(str(flow.target), flow.link) for flow in app.flows] == [
        ("both.one.image", "auto"), ("both.two.image", "zeromq"),
    ]  # fmt: skip
    together = "fragments: {a: {operators: [camera, both]}}\n"
    assert "inside fragment 'a'" in one(mistakes, SPLIT + together, files)


def test_fragments_with_mistakes_hide_where_a_flow_leads(mistakes):
    text = APP.replace("INPUT", "{from: camera, link: zeromq, compress: zstd}")
    one(mistakes, text.replace("[gray]", "[«grey]"))
    one(mistakes, text.replace("  b: {", "  b: {«hots: x, "))


def test_shared_memory_between_hosts(mistakes):
    text = APP.replace("INPUT", "{from: camera, link: «shared_memory}")
    message = one(mistakes, text.replace("[gray]", "[gray], host: h"))
    assert message == "shared memory cannot carry messages from host 'this one' to 'h'; write " \
        "link: auto, or zeromq"  # fmt: skip


# -- ucx -------------------------------------------------------------------------------------

THREE = APP.replace("[gray]", "[gray, gray2, gray3]").replace(
    "fragments:",
    '  gray2: {type: "./ops.py:GrayOp", inputs: {image: camera}}\n'
    '  gray3: {type: "./ops.py:GrayOp", inputs: {image: camera}}\nfragments:',
)


def test_ucx_for_all_flows_between_fragments(load_text):
    text = "defaults: {link: ucx}\n" + THREE.replace("INPUT", "camera")
    assert [flow.link for flow in load_text(text).flows] == ["auto", "ucx", "ucx", "ucx"]
    alone = "defaults: {link: ucx}\n" + APP.replace("INPUT", "camera").partition("fragments:")[0]
    assert [flow.link for flow in load_text(alone).flows] == ["auto", "auto"]


def test_ucx_for_one_of_several(mistakes):
    message = one(mistakes, THREE.replace("INPUT", "{from: camera, link: «ucx}"))
    assert message == (
        "ucx carries all flows between fragments or none, but 1 of 3 say so; "
        "write link: ucx on all of them, or under defaults: alone; or on none, including this one"
    )


def test_ucx_for_all_but_one(mistakes):
    text = "defaults: {link: ucx}\n" + THREE.replace("INPUT", "{from: camera, link: «auto}")
    assert "but 2 of 3 say so" in one(mistakes, text)


@pytest.mark.parametrize("link", ["zeromq", "shared_memory", "auto"])
def test_the_default_of_the_app(load_text, link):
    text = f"defaults: {{link: {link}}}\n" + THREE.replace("INPUT", "{from: camera, link: zeromq}")
    flows = load_text(text).flows
    assert [flow.link for flow in flows] == ["auto", "zeromq", link, link]


def test_a_default_that_is_none(mistakes):
    text = "defaults: {link: «tcp}\n" + APP.replace("INPUT", "camera")
    assert one(mistakes, text).startswith("'link' cannot be \"tcp\"; it is one of auto, ")
