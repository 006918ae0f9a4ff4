"""Messages to a file of JSON lines."""

from __future__ import annotations

import json
from typing import Any

from holoflow.core.files import OutputPath
from holoflow.core.message import Header
from holoflow.core.operator import Operator, param
from holoflow.core.plain import to_plain
from holoflow.operators.io._files import (
    check_names,
    claimed,
    cut_to_whole_lines,
    naming,
    output_file,
)


class JsonLinesOp(Operator):
    """Write a line of JSON for each set of inputs: what was found in which frame.

    A line is an object with `sequence`, `timestamp` (ns) and `source` of the frame, its
    `metadata` if it has some, and each input by the name that the app gives it: boxes as a list
    of objects, text as a string, images only described (see `holoflow.core.plain`). A name of
    a file that is no Unicode is as Python has it: `os.fsencode` gives its bytes. Each
    line is written at once, so that all but the last are whole whenever the program ends. A
    fragment that is started again goes on with the file.

    Example:
        results:
          type: io.json_lines
          inputs: {boxes: detect}
          with: {path: results.jsonl}
    """

    path: OutputPath = param("results.jsonl", doc="file in the output folder; is overwritten")

    def claims(self) -> tuple[str, ...]:
        """Return what is written."""
        return (claimed(self.path),)

    def start(self) -> None:
        """Open the file."""
        self._path = output_file(self.context.output, self.path)
        if self.context.generation:
            cut_to_whole_lines(self._path)
        self._file = self._path.open("ab" if self.context.generation else "wb", buffering=0)
        self.context.announce("JSON lines", str(self._path))

    def process(self, header: Header, **values: Any) -> None:
        """Write one line."""
        check_names(values)
        record = {
            "sequence": header.sequence, "timestamp": header.timestamp, "source": header.source,
        }  # fmt: skip
        if header.metadata:
            record["metadata"] = to_plain(header.metadata)
        record |= {name: to_plain(value) for name, value in values.items()}
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # A name that is no Unicode has lone surrogates: `\\udcfc`, as JSON writes them.
        line = memoryview(text.encode(errors="backslashreplace") + b"\n")
        with naming(self._path):
            while line:  # an almost full disk takes a part
                line = line[self._file.write(line) :]

    def stop(self) -> None:
        """Close the file."""
        if hasattr(self, "_file"):
            self._file.close()
