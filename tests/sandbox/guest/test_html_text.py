"""HTML and SVG as text."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.guest.html_text import MAX_CHARS, convert_html, describe_svg, is_opaque

TEXTS = {
    "<h1>Title</h1><p>some <b>bold</b> text</p><p>next</p>": "Title\nsome bold text\nnext",
    "a<br>b<hr/>c": "a\nb\nc",
    "<ul><li>one<li>two</ul>": "- one\n- two",
    "1 &lt; 2 &amp;&nbsp;3": "1 < 2 & 3",
    "<table><tr><th>name</th><th>n</th></tr><tr><td>a</td><td>10</td></tr>"
    "<tr><td>long name</td><td>2.5</td></tr></table>": (
        "name         n\na           10\nlong name  2.5"
    ),
    "<table><tr><th colspan='2'>both</th></tr><tr><td>x</td><td>y</td></tr></table>": (
        "both\nx     y"
    ),
    "<table><tr><td>1</td></tr><tr></tr></table>after": "1\nafter",
    "<style>b { color: red }</style><b>seen</b>": "seen",
    "<b>seen</b><script>if (1 < 2) alert('</b>')</script>": (
        "seen\n[HTML with 1 script, which a terminal cannot show]"
    ),
    "<img src='a.png'><img src='b.png'><video></video>": (
        "[HTML with 2 pictures, 1 video, which a terminal cannot show]"
    ),
    "<iframe src='https://example.org'></iframe>": (
        "[HTML with 1 embedded page, which a terminal cannot show]"
    ),
    "": "",
    "<p>cut <b": "cut <b",
    "</table></td></p>x": "x",
    "<table><tr><td>open": "open",
}


@pytest.mark.parametrize("html", TEXTS)
def test_html_becomes_text(html: str) -> None:
    assert convert_html(html) == TEXTS[html]


def test_pictures_in_the_text_are_left_out() -> None:
    html = f"<p>seen</p><img src='data:image/png;base64,{'A' * (2 * MAX_CHARS)}'><p>after</p>"
    assert convert_html(html) == (
        "seen\nafter\n[HTML with 1 picture, which a terminal cannot show]"
    )


SVGS = {
    "<svg xmlns='http://www.w3.org/2000/svg' width='10' height='20'><circle/><circle/><path/>"
    "<text> Hello <tspan>you</tspan></text></svg>": (
        'SVG picture 10 × 20: 2 circles, 1 path\n  text "Hello you"'
    ),
    "<svg/>": "SVG picture",
    "<svg><circle></svg>": "SVG that cannot be read: mismatched tag: line 1, column 15",
}


@pytest.mark.parametrize("svg", SVGS)
def test_svg_is_described(svg: str) -> None:
    assert describe_svg(svg) == SVGS[svg]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<IPython.core.display.HTML object>", True),
        ("<pandas.io.formats.style.Styler at 0x7f00deadbeef>", True),
        ("<__main__.A object at 0x7f00deadbeef>", True),
        ("<b>bold</b>", False),
        ("<PIL.Image.Image image mode=RGB size=6x4>", False),
        ("see <A object at 0x7f> and more", False),
        ("42", False),
    ],
)
def test_the_name_of_a_class_alone_says_nothing(text: str, expected: bool) -> None:
    assert is_opaque(text) == expected
