"""Small real tokenizers, built in memory."""

from __future__ import annotations

from functools import cache
from pathlib import Path

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

from starchat_tui.templates.tokenizer import END_OF_TEXT

ROOT = Path(__file__).parent.parent
STARCODER_TOKENS = (END_OF_TEXT, "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>")


@cache
def read_corpus() -> tuple[str, ...]:
    """Return English and Python of this repository."""
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
        special_tokens=list(STARCODER_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(read_corpus(), trainer)
    return str(tokenizer.to_str())


def build_byte_level(*extra: AddedToken) -> Tokenizer:
    """Build a tokenizer like StarCoder's with 1,024 tokens, the same special tokens first."""
    tokenizer = Tokenizer.from_str(_byte_level_json())
    tokenizer.add_tokens(list(extra))
    return tokenizer


def build_sentencepiece() -> Tokenizer:
    """Build a tokenizer like Llama's: a visible space, `<0x…>` for bytes, `<s>` before a text."""
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


def save_tokenizer(tokenizer: Tokenizer, path: Path) -> Path:
    """Save `tokenizer` as the tokenizer.json `path`."""
    tokenizer.save(str(path))
    return path
