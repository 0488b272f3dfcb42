"""A finding: what speaks against a table, its split or its model, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SEVERITIES = {"note": "Note", "warning": "Warning"}


@dataclass(frozen=True)
class Finding:
    """Something that a user should know before the scores are believed.

    Attributes:
        code: Its kind, for programs: "leak", "too_good", "duplicates", "repeated_ids" or "time".
        severity: "warning" if the scores are probably wrong, "note" for advice.
        sentence: What was found.
        fix: What to do.
        columns: The columns that it is about.
        evidence: The numbers behind it.
    """

    code: str
    severity: str
    sentence: str
    fix: str
    columns: tuple[str, ...] = ()
    evidence: dict[str, float] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The finding as a line of the terminal."""
        return f"{SEVERITIES[self.severity]:<12}{self.sentence} {self.fix}"

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain values."""
        return {**asdict(self), "columns": list(self.columns)}
