"""`io.json_lines`: messages to a file of JSON lines."""

from __future__ import annotations

import json
from typing import Any

from holoflow.core.files import OutputPath
from holoflow.core.message import Header
from holoflow.core.operator import Operator, param
from holoflow.core.plain import to_plain
from holoflow.operators.io._files import (
    check_linked,
    check_names,
    claimed,
    cut_to_whole_lines,
    naming,
    output_file,
)


class JsonLinesOp(Operator):
    """Write a line of JSON for each set of inputs: what was found in which frame.

    A line is an object with `sequence`, `timestamp` (ns) and `source` of the frame, its `metadata`
    if it has any, and each input under the name given in the app: boxes as a list of objects, text
    as a string, images as a description only (see `holoflow.core.plain`). A file name that is not
    valid Unicode is written as in Python: `os.fsencode` returns its bytes. Each line is written at
    once, so that all lines except the last are complete whenever the program ends. A restarted
    fragment continues the file. Each line after the file was removed is an error.

    Example:
        results:
          type: io.json_lines
          inputs: {boxes: detect}
          with: {path: results.jsonl}
    """

    path: OutputPath = param("results.jsonl", doc="file in the output folder; overwritten")

    def claims(self) -> tuple[str, ...]:
        """Return the file that only this operator may write."""
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
        # A name that is not valid Unicode has lone surrogates: `\\udcfc`, which JSON escapes.
        line = memoryview(text.encode(errors="backslashreplace") + b"\n")
        check_linked(self._file.fileno(), self._path)
        with naming(self._path):
            while line:  # an almost full disk accepts only a part
                line = line[self._file.write(line) :]

    def stop(self) -> None:
        """Close the file."""
        if hasattr(self, "_file"):
            self._file.close()
