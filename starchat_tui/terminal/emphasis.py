"""Emphasis in the prose of a coding assistant, as rules of markdown-it.

CommonMark (spec.commonmark.org, section 6.2) takes the delimiters out of `__init__`, `f(*a, **b)`
and `int *p, int* q`. Here a run of `*`, `_` or `~` is a delimiter only if

- it opens between white space, or an opening bracket or quote, and a word, and closes between a
  word, or the punctuation of its sentence, and white space or punctuation. Letters of scripts that
  write without spaces, or that inflect behind the word, may be on both sides;
- both are as long, unless one of them is of several delimiters (`**bold *italic***`);
- brackets and double quotes between the two are balanced;
- the two are at most `_LONGEST_SPAN` characters apart, and single ones on one line with none of
  the characters `_CODE_CHARACTERS` between them;
- for `_`: no name with an underscore is between the two, and between `__` there is white space;
- behind a period, a single one ends a whole sentence with a capital letter;
- neither is part of a pointer's or generator's declaration or of `*args`, and a word between
  them does not fill a pair of quotes, as a pattern does.

Everything else stays as written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter

_MARKERS = "*_~"
_OPENS_BEFORE = "([{\"'"
"""Characters in front of an opening run, besides white space."""
_OPENS_AFTER = {1: "\"'([`$", 2: "\"'([`$.@#-<&+!%:"}
"""Characters other than letters and digits behind an opening run, by its length."""
_CLOSES_BEFORE = ".,:;!?)]}\"'`%+#>$"
"""Characters other than letters and digits in front of a closing run."""
_CLOSES_AFTER = ".,:;!?)]}\"'"
"""Characters behind a closing run, besides white space."""
_CODE_CHARACTERS = re.compile(r"[=;{}\\|<>^\n]")
_LONGEST_SPAN = 1000
_LONGEST_RUN = 8
"""Delimiters beside each other that are looked at: a hostile text has thousands."""
_CONTEXT = 40
"""Characters in front of a run that are searched for a type."""

_TYPES = (
    r"(?:int|char|void|float|double|bool|long|short|unsigned|signed|const|auto|FILE|function|yield|[a-z]\w*_t"
    r"|(?:struct|union|enum)\s+\w+)"
)
_BEHIND_TYPE = re.compile(rf"(?<![\w*]){_TYPES}\s+$")
_AT_TYPE = re.compile(rf"(?<![\w*]){_TYPES}$")
_NAME_OF_ARGUMENTS = re.compile(r"(?:args|kwargs|kwds|argv)\b(?!\*)")
_ONE_WORD = re.compile(r"\w+\*")
_LAST_WORD = re.compile(r"(\w+)\s*$", re.ASCII)
_INITIAL = re.compile(r"(?:^|[\s(\[\"'-])\*\*[A-Z]{1,3}$")
_JOINED_BY_UNDERSCORE = re.compile(r"\w_+\w")
_NAMES_OF_ENUM = {"ignore", "missing", "name", "order", "value"}
_CODE_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def install_emphasis(parser: MarkdownIt) -> None:
    """Replace the parser's rules of emphasis; `strikethrough` has to be enabled before."""
    rules = parser.inline.ruler
    rules.at("emphasis", _tokenize_run)
    rules.at("strikethrough", _tokenize_run)
    parser.inline.ruler2.after("balance_pairs", "unpair_code", _unpair_code)


def _tokenize_run(state: StateInline, silent: bool) -> bool:
    """Push each delimiter of a run as text, and add it to the list if it may open or close."""
    marker, start = state.src[state.pos], state.pos
    if silent or marker not in _MARKERS:
        return False
    end = start
    while end < state.posMax and state.src[end] == marker:
        end += 1
    size = 2 if marker == "~" else 1
    opens, closes = _can_open(state, start, end), _can_close(state, start, end)
    if not (opens or closes) or (marker == "~" and end - start != size):
        state.append_pending(state.src[start:end])
    else:
        for position in range(start, end, size):
            token = state.push("text", "", 0)
            token.content, token.meta = marker * size, {"position": position}
            index = len(state.tokens) - 1
            # A length of 0 keeps strikethrough from CommonMark's rule on multiples of 3.
            length = 0 if marker == "~" else end - start
            state.delimiters.append(Delimiter(ord(marker), length, index, -1, opens, closes))
    state.pos = end
    return True


def _look_behind(state: StateInline, position: int) -> str:
    """Return the last character before `position` that is not a delimiter; empty at the start."""
    for _ in range(_LONGEST_RUN):
        if position > 0 and state.src[position - 1] in _MARKERS:
            position -= 1
    return state.src[position - 1 : position] if position else ""


def _look_ahead(state: StateInline, position: int) -> tuple[str, str]:
    """Return the next two characters from `position` on, behind any delimiters."""
    for _ in range(_LONGEST_RUN):
        if position < state.posMax and state.src[position] in _MARKERS:
            position += 1
    rest = state.src[position : min(position + 2, state.posMax)]
    return rest[:1], rest[1:]


def _can_open(state: StateInline, start: int, end: int) -> bool:
    before = _look_behind(state, start)
    after, next_after = _look_ahead(state, end)
    wide = _is_boundary(before)
    length = min(end - start, 2)
    is_punctuation = after in _OPENS_AFTER[length] and not next_after.isspace()
    inside = after.isalnum() or (
        wide and bool(after) and (is_punctuation or _is_wide_symbol(after))
    )
    if not inside or not (wide or before in _OPENS_BEFORE):
        return False
    if state.src[start] != "*":
        return True
    line = state.src[max(0, start - _CONTEXT) : start]
    is_argument = _NAME_OF_ARGUMENTS.match(state.src, end)
    is_pointer = _BEHIND_TYPE.search(line) and not _ONE_WORD.match(state.src, end)
    return not (is_argument or is_pointer)


def _can_close(state: StateInline, start: int, end: int) -> bool:
    before = _look_behind(state, start)
    after, next_after = _look_ahead(state, end)
    wide = _is_boundary(after)
    line = state.src[max(0, start - _CONTEXT) : start]
    if after.islower() and end - start == 2 and _INITIAL.search(line):
        return True  # **R**ead **E**val **P**rint **L**oop
    ends_word = wide or (after in _CLOSES_AFTER and not _continues_word(after, next_after))
    inside = before.isalnum() or (
        bool(before)
        and (before in _CLOSES_BEFORE or _is_wide_symbol(before))
        and not line[:-1][-1:].isspace()  # `.*` and `)*` are patterns
        and (wide or after not in "\"'")
    )
    if not inside or not ends_word:
        return False
    return state.src[start] != "*" or _AT_TYPE.search(line) is None


def _continues_word(after: str, next_after: str) -> bool:
    """Return whether punctuation joins what is before it with what follows, as in `*a*.py`."""
    if after == "'":
        return next_after not in ("", "s") and next_after.isalnum()
    return next_after.isalnum() or next_after == "_"


def _is_boundary(character: str) -> bool:
    # "Lo": letters without case. Chinese and Japanese have no spaces, and Korean, Arabic and the
    # languages of India add endings and prefixes to an emphasized word.
    return (
        not character
        or character.isspace()
        or unicodedata.category(character) == "Lo"
        or (not character.isascii() and unicodedata.category(character)[0] == "P")
    )


def _is_wide_symbol(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character)[0] in "PSM"


def _unpair_code(state: StateInline) -> None:
    """Separate pairs of delimiters with code between them."""
    for delimiters in _list_delimiters(state):
        paired = {index for index, one in enumerate(delimiters) if one.end >= 0}
        paired |= {one.end for one in delimiters}
        for index, opener in enumerate(delimiters):
            if opener.end < 0:
                continue
            if _touches_lone_delimiter(delimiters, index, paired) or not _is_prose_between(
                state, opener, delimiters[opener.end]
            ):
                opener.end = -1


def _touches_lone_delimiter(delimiters: list[Delimiter], index: int, paired: set[int]) -> bool:
    """Return whether a delimiter of another kind without a partner is beside one of a pair.

    It is part of a name or a pattern then, as in `*_old*`.
    """
    for one in (index, delimiters[index].end):
        for other in (one - 1, one + 1):
            if (
                0 <= other < len(delimiters)
                and other not in paired
                and delimiters[other].marker != delimiters[one].marker
                and abs(delimiters[other].token - delimiters[one].token) == 1
            ):
                return True
    return False


def _list_delimiters(state: StateInline) -> Iterator[list[Delimiter]]:
    yield state.delimiters
    for meta in state.tokens_meta:
        if meta and "delimiters" in meta:
            yield meta["delimiters"]


def _is_prose_between(state: StateInline, opener: Delimiter, closer: Delimiter) -> bool:
    start = state.tokens[opener.token].meta["position"]
    end = state.tokens[closer.token].meta["position"]
    lengths = {opener.length, closer.length}
    if end - start > _LONGEST_SPAN or lengths == {1, 2}:
        return False
    marker = chr(opener.marker)
    text = state.src[start:end].strip(_MARKERS)
    prose = _CODE_SPAN.sub("x", text)
    has_space = any(map(str.isspace, text))
    is_single = 1 in lengths
    if not _is_balanced(prose) or (is_single and _CODE_CHARACTERS.search(prose)):
        return False
    if is_single and _is_pattern(state.src, start, end, text):
        return False
    if marker == "_":
        is_name = _JOINED_BY_UNDERSCORE.search(prose) or (is_single and text in _NAMES_OF_ENUM)
        return not is_name and (is_single or has_space)
    return marker == "~" or not _is_same_pointer(state.src[max(0, start - _CONTEXT) : start], text)


def _is_pattern(source: str, start: int, end: int, text: str) -> bool:
    """Return whether the single delimiters at `start` and `end` belong to patterns.

    As in `java.util.*`, `'*name*'` and `'_x' or 'x_'`.
    """
    quote = source[start - 1] if start and source[start - 1] in "\"'" else ""
    if quote and not any(map(str.isspace, text)) and source.startswith(quote, end + 1):
        return True
    if quote and re.search(rf"{quote}(?!\w)|(?<!\w){quote}", text):
        return True
    first = text.lstrip("\"'([")[:1]
    return text.endswith(".") and first.isascii() and not first.isupper()


def _is_same_pointer(before: str, text: str) -> bool:
    """Return whether both stars are at the same word, as in `Node *a is Node* a`."""
    first = _LAST_WORD.search(before.rstrip(_MARKERS))
    last = _LAST_WORD.search(text[-_CONTEXT:])
    return bool(first and last and first[1] == last[1] and last[1] != text)


def _is_balanced(text: str) -> bool:
    """Return whether each bracket has its partner and the number of double quotes is even."""
    open_brackets: list[str] = []
    for character in text:
        if character in "([{":
            open_brackets.append(character)
        elif character in _BRACKETS and (
            not open_brackets or open_brackets.pop() != _BRACKETS[character]
        ):
            return False
    return not open_brackets and text.count('"') % 2 == 0
