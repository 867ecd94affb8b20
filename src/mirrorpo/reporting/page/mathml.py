"""Typeset formulas that need no script and no font: MathML from the LaTeX of a closed form.

The LaTeX comes from a run's folder. Only elements and attributes of an allow-list reach the page,
and all text is escaped.
"""

import html
import re
from xml.etree.ElementTree import Element

from latex2mathml import converter
from markupsafe import Markup, escape

LONGEST = 20_000
"""Letters of a formula that is typeset; a longer one is shown as text, cut there."""

_NESTED = 100

_ELEMENTS = {
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "mstyle"),
    *("mtable", "mtr", "mtd", "msub", "msup", "msubsup", "munder", "mover", "munderover"),
    *("mpadded", "mphantom"),
}
_ATTRIBUTES = {
    *("accent", "accentunder", "align", "columnalign", "columnlines", "columnspacing", "depth"),
    *("displaystyle", "fence", "form", "height", "largeop", "linethickness", "lspace"),
    *("mathvariant", "maxsize", "minsize", "movablelimits", "rowalign", "rowlines", "rowspacing"),
    *("rspace", "scriptlevel", "separator", "stretchy", "symmetric", "voffset", "width"),
}
_VALUE = re.compile(r"[\w.+% -]{0,40}", re.ASCII)

_ALIGNED = re.compile(r"\\begin\{aligned\}(.*)\\end\{aligned\}", re.DOTALL)
# Fences whose size LaTeX is told by hand; a browser sizes its own.
_SIZED = re.compile(r"\\[bB]ig[lr]?\s*")


def from_latex(latex: str) -> Markup:
    """A `math` element in display style; the LaTeX itself where it cannot be typeset.

    Args:
        latex: one formula, or an ``aligned`` block of lines ``left &= right``.
    """
    try:
        return _typeset(latex)
    # The converter has many ways to fail on what is not a formula.
    except Exception:
        return Markup("<code>{}</code>").format(latex[:LONGEST])


def _typeset(latex: str) -> Markup:
    if len(latex) > LONGEST:
        raise ValueError("too long")
    block = _ALIGNED.fullmatch(latex.strip())
    if block is None:
        body = _row(latex)
    else:
        lines = [line for line in re.split(r"\\\\\s*", block[1].strip()) if line.strip()]
        rows = ("".join(f"<mtd>{_row(cell)}</mtd>" for cell in line.split("&")) for line in lines)
        body = f"<mtable>{''.join(f'<mtr>{row}</mtr>' for row in rows)}</mtable>"
    start = '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">'
    return Markup(f"{start}{body}</math>")


def _row(latex: str) -> str:
    """The content of one formula without its `math` element."""
    whole = converter.convert_to_element(_SIZED.sub("", latex.strip()), display="block")
    inside = "".join(_clean(child, 0) for child in whole)
    # Fractions of an aligned cell are drawn small unless told otherwise.
    return f'<mstyle displaystyle="true">{inside}</mstyle>'


def _clean(element: Element, depth: int) -> str:
    """An element as text, with allowed elements and attributes alone."""
    if depth > _NESTED:
        raise ValueError("nested too deep")
    # The converter writes special letters as entities.
    text = str(escape(html.unescape(element.text or "")))
    inside = text + "".join(_clean(child, depth + 1) for child in element)
    name = element.tag if element.tag in _ELEMENTS else "mrow"
    attributes = "".join(
        f' {key}="{value}"'
        for key, value in element.attrib.items()
        if key in _ATTRIBUTES and _VALUE.fullmatch(value)
    )
    return f"<{name}{attributes}>{inside}</{name}>"
