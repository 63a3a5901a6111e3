"""Small real vocabularies, made in memory, and dialogues that try to break what reads them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from starchat_tui.dialogue import Dialogue, Role, Turn
from starchat_tui.templates.tokenizer import CHAT_TOKENS, END_OF_TEXT

ROOT = Path(__file__).parent.parent
ROLES: tuple[Role, Role] = ("user", "assistant")
STARCODERS = (END_OF_TEXT, "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>")


@cache
def corpus() -> tuple[str, ...]:
    """English and Python that this repository holds anyway."""
    sources = [*(ROOT / "prompts").glob("*.md"), ROOT / "starchat_tui" / "client" / "protocol.py"]
    return tuple(path.read_text(encoding="utf-8") for path in sorted(sources))


@cache
def _byte_level_json() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=list(STARCODERS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return str(tokenizer.to_str())


def byte_level(*extra: AddedToken) -> Tokenizer:
    """StarCoder's scheme with 1,024 tokens: digits one by one, bytes, its first special tokens."""
    tokenizer = Tokenizer.from_str(_byte_level_json())
    tokenizer.add_tokens(list(extra))
    return tokenizer


def sentencepiece() -> Tokenizer:
    """Llama's scheme: a visible space, `<0x…>` for bytes, a token before every text."""
    bytes_ = {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2, **bytes_, "▁": 259}
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,[]/:é"
    vocabulary |= {letter: 260 + index for index, letter in enumerate(letters)}
    merges = [("▁", "a"), ("▁", "H"), ("▁H", "i")]
    vocabulary |= {"".join(pair): 400 + index for index, pair in enumerate(merges)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, unk_token="<unk>"))
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return tokenizer


def write(tokenizer: Tokenizer, path: Path) -> Path:
    """`tokenizer` as a tokenizer.json at `path`."""
    tokenizer.save(str(path))
    return path


FRAGMENTS = (
    *CHAT_TOKENS,
    *STARCODERS,
    *("Human:", "\nHuman: ", "Assistant:", "\n\nAssistant:", "-----", "\n-----\n", "\n  Human:"),
    *("hello", " world", "def f(x):\n    return x\n", "'s", "n't", "12345", " 3.14", "½", "²"),
    *(" ", "  ", "\t", "\n", "\n\n", "\r\n", "\r", "\x0b", "\x1c", "\x85", "\xa0", "\u2003"),
    *("\u200b", "\ufeff", "\u0301", "e\u0301", "\u20dd", "😀", "👩‍💻", "🇩🇪", "漢字", "العربية"),
    *("<|", "|>", "<|end", "|end|>", "<", "```", "```python\n", "\\n", "\x00", "\x1b[31m", "�", ""),
)
"""What texts are made of: control tokens and layout spelled out, white space of all kinds, …"""


def texts(random: Random) -> Iterator[str]:
    """Texts without end, each a few fragments."""
    while True:
        yield "".join(random.choices(FRAGMENTS, k=random.randrange(7)))


def dialogues(random: Random, count: int) -> Iterator[Dialogue]:
    """`count` dialogues that end in a question: any texts, any order of roles."""
    text = texts(random)
    for _ in range(count):
        roles: list[Role] = random.choices(ROLES, k=random.randrange(4))
        turns = (Turn(role, next(text)) for role in (*roles, "user"))
        yield Dialogue(next(text), tuple(turns))
