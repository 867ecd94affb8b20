"""Typeset formulas that need no script and no font: MathML from the LaTeX of a closed form."""

from __future__ import annotations

import re

from latex2mathml import converter

_ALIGNED = re.compile(r"\\begin\{aligned\}(.*)\\end\{aligned\}", re.DOTALL)
# Fences whose size LaTeX is told by hand; a browser sizes its own.
_SIZED = re.compile(r"\\[bB]ig[lr]?\s*")


def from_latex(latex: str) -> str:
    """A `math` element in display style.

    Args:
        latex: one formula, or an ``aligned`` block of lines ``left &= right``.
    """
    block = _ALIGNED.fullmatch(latex.strip())
    if block is None:
        body = _row(latex)
    else:
        lines = [line for line in re.split(r"\\\\\s*", block[1].strip()) if line.strip()]
        body = "<mtable>"
        for line in lines:
            cells = "".join(f"<mtd>{_row(cell)}</mtd>" for cell in line.split("&"))
            body += f"<mtr>{cells}</mtr>"
        body += "</mtable>"
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{body}</math>'


def _row(latex: str) -> str:
    """The content of one formula without its `math` element."""
    whole = converter.convert(_SIZED.sub("", latex.strip()), display="block")
    inside = whole[whole.index(">") + 1 : whole.rindex("</math>")]
    # Fractions of an aligned cell are drawn small unless told otherwise.
    return f'<mstyle displaystyle="true">{inside}</mstyle>'
