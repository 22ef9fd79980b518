"""SVG as text: elements, and the drawing that holds them. Drawings need no script, so every front end shows them."""

from collections.abc import Iterable
from html import escape
from typing import Any

FONT = 'fill="currentColor" font-family="system-ui, sans-serif" font-size="13"'


def element(tag: str, content: str = "", **attributes: Any) -> str:
    """Write one element.

    Args:
        tag: Such as "rect".
        content: What is inside, already escaped.
        **attributes: With underscores for hyphens. Numbers are rounded to a tenth; None leaves an attribute out.
    """
    parts = [tag]
    for name, value in attributes.items():
        if value is not None:
            value = f"{round(value, 1):g}" if isinstance(value, int | float) else escape(str(value))
            parts.append(f'{name.replace("_", "-")}="{value}"')
    return f"<{' '.join(parts)}>{content}</{tag}>" if content else f"<{' '.join(parts)}/>"


def text(x: float, y: float, content: object, **attributes: Any) -> str:
    """Write a text; it is escaped here."""
    return element("text", escape(str(content)), x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: Any) -> str:
    """Write a straight line, in the reader's own colour if no `stroke` is given."""
    attributes = {"stroke": "currentColor"} | attributes
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def drawing(
    width: float, height: float, alt: str, parts: Iterable[str], role: str = "img", least: int = 0
) -> str:
    """Put elements into a drawing that shrinks with the page.

    Args:
        width: In pixels, also the largest width on the page.
        height: In pixels.
        alt: What a screen reader says.
        parts: The elements.
        role: "group" if the drawing has links, which an image would hide.
        least: The smallest width on the page; a narrower page scrolls.
    """
    style = f"width:100%;min-width:{least}px;max-width:{width:g}px;height:auto"
    return (
        f'<svg role="{role}" aria-label="{escape(alt)}" viewBox="0 0 {width:g} {height:g}" style="{style}" {FONT}>'
        f"{''.join(parts)}</svg>"
    )
