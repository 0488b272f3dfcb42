"""What a user may have meant by a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the most similar of the known names, or with all of them if none is similar.

    The sentence begins with a space; it is empty if no name is known.
    """
    known = list(known)
    if not known:
        return ""
    by_lower_case = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    if found:
        return f" Did you mean `{by_lower_case[found[0]]}`?"
    shown = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
    return f" There are: {shown}."
