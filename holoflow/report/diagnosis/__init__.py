"""The explanation: what limits a run, by which evidence, and what would help.

`demand` finds where more is asked for than gets through, `rate` what limits the rate there,
`parts` what makes frames late; `explain` decides which of it matters most.
"""

from holoflow.report.diagnosis.decision import amiss, explain
from holoflow.report.diagnosis.finding import Explanation, Finding, Limit

__all__ = ["Explanation", "Finding", "Limit", "amiss", "explain"]
