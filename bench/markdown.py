"""Tables in Markdown, and the blocks of a document that hold them.

A block is `<!-- measured: NAME -->` ... `<!-- end -->`; what stands between is generated.
"""

import re
from collections.abc import Callable, Iterable

BLOCK = re.compile(r"(<!-- measured: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill_blocks(text: str, content: Callable[[str], str]) -> str:
    """Replace what every block of a document holds by the content for its name."""
    return BLOCK.sub(lambda block: f"{block[1]}\n{content(block['name'])}\n\n{block[3]}", text)


def table(head: Iterable[str], body: Iterable[Iterable[str]], texts: int = 1) -> str:
    """Format a table: the first columns, which are texts, to the left, numbers to the right."""
    head = list(head)
    rule = [*["---"] * texts, *["--:"] * (len(head) - texts)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *map(list, body)])


def three_digits(number: float) -> str:
    """Format a number with three significant digits, thousands set apart."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"
