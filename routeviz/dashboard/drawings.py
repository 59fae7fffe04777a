"""Static architectures as small pictures, without words; no streamlit."""

from __future__ import annotations

from base64 import b64encode

from routeviz.space import Route
from routeviz.space.svg import THEMES, lattice_data


def small(route: Route, *, theme: str = "light") -> str:
    """A static architecture as an SVG in a data URI: open paths, inputs that are passed on, and the cells that run.

    Parameters
    ----------
    route : Route
    theme : str
        ``"light"`` or ``"dark"``.
    """
    colours, data = THEMES[theme], lattice_data(route.space, route.activations, static=True)
    xs, ys = ([cell[axis] for cell in data["cells"]] for axis in "xy")
    left, top = min(xs) - 30, min(ys) - 20
    width, height = data["decoder"]["x"] + 12 - left, max(ys) + 20 - top
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {top} {width} {height}">',
        f'<path d="M{data["decoder"]["x"] + 6} {top + 6}v{height - 12}" stroke="{colours.soft}" stroke-width="3"/>',
    ]
    for path, kind, level in zip(data["paths"], data["path_kind"], data["path_level"], strict=True):
        if kind == "open":
            look = f'stroke="{colours.ramp[level]}" stroke-width="6"'
        elif kind == "passed":
            look = f'stroke="{colours.soft}" stroke-width="3.5" stroke-dasharray="0.1 8" stroke-linecap="round"'
        else:
            continue
        parts.append(f'<path d="{path["d"]}" fill="none" {look}/>')
    for x, y, kind in zip(xs, ys, data["cell_kind"], strict=True):
        radius, colour = (8, colours.ink) if kind == "open image" else (2.5, colours.faint)
        parts.append(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>')
    parts.append("</svg>")
    return f"data:image/svg+xml;base64,{b64encode(''.join(parts).encode()).decode()}"
