"""StarChat's two themes; all themes of Textual work as well."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="starchat-dark",
    dark=True,
    primary="#8ab4f8",
    secondary="#7fc1b6",
    accent="#f0c674",
    success="#9ccf8f",
    warning="#e8b06a",
    error="#f28b82",
    foreground="#d8dbe2",
    background="#14161b",
    surface="#1b1e25",
    panel="#242832",
    variables={"input-selection-background": "#8ab4f8 30%"},
)
LIGHT = Theme(
    name="starchat-light",
    dark=False,
    primary="#1f5fbf",
    secondary="#17706a",
    accent="#8a5a00",
    success="#2f6f2a",
    warning="#945400",
    error="#b3261e",
    foreground="#23262d",
    background="#fcfbf8",
    surface="#f3f1eb",
    panel="#e8e5dc",
    variables={"input-selection-background": "#1f5fbf 25%"},
)
SHORT_NAMES = {"dark": DARK.name, "light": LIGHT.name}
"""Short names that the settings and `/theme` accept."""
