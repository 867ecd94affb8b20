"""A closed form as people write it: one line of text, or LaTeX in the paper's notation."""

import re

from mirrorpo.objectives import ClosedForm
from mirrorpo.objectives.losses.closed_form import Term

_LATEX_SHAPES = {
    "{}": "{}",
    "{}^2": "{}^2",
    "{}^3": "{}^3",
    "|{}|": r"\lvert {} \rvert",
    "({})+": r"({})_+",
    "({})+^2": r"({})_+^2",
    "min({}, 0)": r"\min({}, 0)",
    "e^({})": "e^{{}}",
    "log(1-e^{})": r"\log(1 - e^{{}})",
    "log sigmoid({})": r"\log \sigma({})",
    "sigmoid({})": r"\sigma({})",
}
_LATEX_TIMES = ("", r"t \, ", r"t^2 \, ")


def to_text(form: ClosedForm) -> str:
    """``loss = -[...], where ...`` with the names of the form's terms and what they stand for."""
    parts = [
        (value, name if abs(value) == 1.0 else f"{abs(value):.5g} {name}")
        for value, name in zip(_values(form), map(str, form.parsed), strict=True)
    ]
    return f"loss = -[{_joined(parts)}], where {', '.join(_meanings(form))}"


def to_latex(form: ClosedForm) -> str:
    """An ``aligned`` block, without dollar signs: the loss of a pair, then its variables."""
    parts = []
    for value, term in zip(_values(form), form.parsed, strict=True):
        factor = "" if abs(value) == 1.0 else _latex_number(abs(value)) + r" \, "
        parts.append((value, factor + _latex_term(form, term)))
    arguments = r"\tau_w, \tau_l" + (", t" if _moving(form) else "")
    lines = [rf"\ell({arguments}) &= -\bigl[ {_joined(parts)} \bigr]"]
    win, lose = (_latex_log_prob(form, which) for which in "wl")
    used = {term.variable for term in form.parsed}
    if "d" in used:
        lines.append(f"d &= {win} - {lose}")
    if "o" in used:
        odds = [rf"\log \frac{{\pi(\tau_{w})}}{{1 - \pi(\tau_{w})}}" for w in "wl"]
        lines.append(f"o &= {' - '.join(odds)}")
    body = " \\\\\n".join(lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n"


def _values(form: ClosedForm) -> list[float]:
    return [float(value) for value in form.coefficients]


def _moving(form: ClosedForm) -> bool:
    return any(term.time for term in form.parsed)


def _joined(parts: list[tuple[float, str]]) -> str:
    """A sum with its signs: (number, text of its size and its term) each."""
    signs = ["-" if value < 0 else "+" for value, _ in parts]
    first = ("-" if signs[0] == "-" else "") + parts[0][1]
    rest = zip(signs[1:], parts[1:], strict=True)
    return first + "".join(f" {sign} {text}" for sign, (_, text) in rest)


def _meanings(form: ClosedForm) -> list[str]:
    of = "log pi({0}) - log pi_ref({0})" if form.needs_reference else "log pi({0})"
    win, lose = of.format("chosen"), of.format("rejected")
    used = {term.variable for term in form.parsed}
    found = [f"x = {win}"] if used & {"x", "d", "o"} else []
    found += [f"y = {lose}"] if used & {"y", "d", "o"} else []
    found += ["d = x - y"] if "d" in used else []
    found += ["o = logit(e^x) - logit(e^y)"] if "o" in used else []
    found += ["t = training's progress from 0 to 1"] if _moving(form) else []
    found += ["(a)+ = max(a, 0)"] if any(")+" in term.shape for term in form.parsed) else []
    return found


def _latex_log_prob(form: ClosedForm, which: str) -> str:
    policy = rf"\pi(\tau_{which})"
    if form.needs_reference:
        return rf"\log \frac{{{policy}}}{{\pi_{{\text{{ref}}}}(\tau_{which})}}"
    return rf"\log {policy}"


def _latex_term(form: ClosedForm, term: Term) -> str:
    variable = term.variable
    if variable in "xy":
        variable = _latex_log_prob(form, "w" if variable == "x" else "l")
    scale = {1.0: "", -1.0: "-"}.get(term.scale, _latex_number(term.scale) + r" \, ")
    shift = ""
    if term.shift:
        shift = f" {'-' if term.shift > 0 else '+'} {_latex_number(abs(term.shift))}"
    shape = _LATEX_SHAPES[term.shape]
    return _LATEX_TIMES[term.time] + shape.replace("{}", scale + variable + shift)


def _latex_number(value: float) -> str:
    return re.sub(r"e([-+]?)0*(\d+)$", _power, f"{value:.5g}")


def _power(found: re.Match[str]) -> str:
    sign = "-" if found[1] == "-" else ""
    return rf" \cdot 10^{{{sign}{found[2]}}}"
