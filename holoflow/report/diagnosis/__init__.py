"""The diagnosis: what limits a run, the evidence for it, and what would help.

`finding` finds where more frames are requested than get through, `rate` what limits the rate
there, `breakdown` what makes frames late; `decision` decides which of these matters most.
"""

from holoflow.report.diagnosis.decision import amiss, explain
from holoflow.report.diagnosis.finding import Explanation, Finding, Limit

__all__ = ["Explanation", "Finding", "Limit", "amiss", "explain"]
