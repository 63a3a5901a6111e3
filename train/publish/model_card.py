"""The card of a fine-tuned model: its data, how it was trained, its curves, its limits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from train.config import HARMLESS, Config, spelled

CURVE = "loss.svg"
_WIDTH, _HEIGHT, _MARGIN = 640, 240, 40


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run knows of itself."""

    config: Config
    trees: int
    held_out: int
    """Trees that were not learned."""
    rows: int
    """Packed rows of an epoch."""
    tokens: int
    """Tokens in them."""
    learned: int
    """Tokens in them that the assistant says."""
    refused: Mapping[str, int]
    """Rows or messages that were not used, by reason."""
    parameters: int
    trained: int
    """Parameters that were trained."""
    processes: int
    device: str
    steps: int
    seconds: float
    log: Sequence[Mapping[str, Any]]
    """The trainer's history."""


def series(log: Sequence[Mapping[str, Any]], name: str) -> list[tuple[int, float]]:
    """The steps at which something was logged, and what."""
    return [(int(entry["step"]), float(entry[name])) for entry in log if name in entry]


def write(folder: Path, facts: Facts, name: str) -> None:
    """The card, its drawing, and the whole history for whoever wants to draw it anew."""
    (folder / "README.md").write_text(text(facts, name), encoding="utf-8")
    (folder / "history.json").write_text(json.dumps(list(facts.log), indent=1), encoding="utf-8")
    if drawing := curve(facts.log):
        (folder / CURVE).write_text(drawing, encoding="utf-8")


def text(facts: Facts, name: str) -> str:
    """The card in Markdown, with the front matter that the Hub reads."""
    parts = (
        _front(facts),
        [f"# {name}", "", *_what(facts), ""],
        _use(facts, name),
        _data(facts),
        _training(facts),
        _curves(facts),
        _limits(facts),
    )
    return "\n".join(line for part in parts for line in part)


def _front(facts: Facts) -> list[str]:
    config = facts.config
    known: dict[str, Any] = {
        "library_name": "peft" if config.lora_rank else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["code", "chat", "starchat"],
    }
    if _on_hub(config.model):
        known["base_model"] = config.model
    sets = [source for source in config.dataset if _on_hub(source)]
    if sets:
        known["datasets"] = sets
    return ["---", yaml.safe_dump(known, sort_keys=True).strip(), "---", ""]


def _on_hub(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not Path(name).exists()


def _what(facts: Facts) -> Iterator[str]:
    kind = "A LoRA adapter for" if facts.config.lora_rank else "A fine-tune of"
    yield (
        f"{kind} `{facts.config.model}` on dialogues in ChatML: it learned what the assistant says "
        "and where it ends, and nothing of what users or system texts say."
    )


def _use(facts: Facts, name: str) -> list[str]:
    python = [
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f'tokenizer = AutoTokenizer.from_pretrained("{name}")',
        f'model = AutoModelForCausalLM.from_pretrained("{name}")',
    ]
    if facts.config.lora_rank:
        python = [
            "from peft import PeftModel",
            *python[:-1],
            f'base = AutoModelForCausalLM.from_pretrained("{facts.config.model}")',
            "base.resize_token_embeddings(max(len(tokenizer), base.config.vocab_size))",
            f'model = PeftModel.from_pretrained(base, "{name}")',
        ]
    python += [
        'chat = [{"role": "user", "content": "What does `yield` do?"}]',
        "ids = tokenizer.apply_chat_template(",
        '    chat, add_generation_prompt=True, return_tensors="pt", return_dict=True',
        ")",
        "answer = model.generate(**ids, max_new_tokens=256)[0, ids.input_ids.shape[1] :]",
        "print(tokenizer.decode(answer, skip_special_tokens=True))",
    ]
    shell = ["```", f"starchat --model {name}", "```"]
    return ["## Use", "", *shell, "", "```python", *python, "```", ""]


def _data(facts: Facts) -> list[str]:
    sources = ", ".join(f"`{source}`" for source in facts.config.dataset)
    share = facts.learned / max(facts.tokens, 1)
    lines = [
        "## Data",
        "",
        f"{sources}: {facts.trees:,} trees of messages were learned, {facts.held_out:,} held out; "
        f"{facts.tokens:,} tokens in {facts.rows:,} rows, {share:.0%} of them learned.",
        "",
    ]
    if facts.refused:
        counted = sorted(facts.refused.items(), key=lambda pair: -pair[1])
        lines += ["| not used | rows or messages |", "|---|---:|"]
        lines += [f"| {reason} | {count:,} |" for reason, count in counted]
        lines.append("")
    return lines


def _training(facts: Facts) -> list[str]:
    chosen = asdict(facts.config)
    skipped = HARMLESS | {"model", "dataset", "eval_dataset", "deepspeed"}
    rows = [(key, chosen[key]) for key in chosen if key not in skipped]
    told = [f"| `{key}` | {spelled(value)} |" for key, value in rows if value not in ("", ())]
    trained = facts.trained / 1e6
    return [
        "## Training",
        "",
        f"{facts.steps:,} steps in {facts.seconds / 60:.1f} minutes on {facts.processes} × "
        f"{facts.device}; {trained:,.2f}M of {facts.parameters / 1e6:,.2f}M parameters trained.",
        "",
        "| key | value |",
        "|---|---|",
        *told,
        "",
    ]


def _curves(facts: Facts) -> list[str]:
    losses = series(facts.log, "loss")
    measured = series(facts.log, "eval_loss")
    perplexity = dict(series(facts.log, "eval_perplexity"))
    lines = ["## Curves", ""]
    if losses:
        lines += [f"![Loss over the steps]({CURVE})", ""]
    if measured:
        lines += ["| step | held-out loss | perplexity |", "|---:|---:|---:|"]
        lines += [f"| {at} | {loss:.4f} | {perplexity.get(at, 0):.3f} |" for at, loss in measured]
        lines += ["", "Over the held-out tokens that the assistant says.", ""]
    else:
        lines += ["Nothing was held out, so nothing is known of what it has not seen.", ""]
    return lines


def _limits(facts: Facts) -> list[str]:
    return [
        "## Limits",
        "",
        "It says what is likely after what it learned, also where that is wrong, and code that it "
        "writes may not run or may do harm: read it first. It was not trained to refuse. What its "
        f"base model (`{facts.config.model}`) cannot do, it cannot do either, and the licence of "
        "the base model and of the data applies.",
        "",
    ]


def curve(log: Sequence[Mapping[str, Any]]) -> str:
    """Training and held-out loss as a drawing (SVG)."""
    drawn = {
        "#4c78a8": series(log, "loss"),
        "#f58518": series(log, "eval_loss"),
    }
    points = [point for line in drawn.values() for point in line]
    if not points:
        return ""
    steps, losses = zip(*points, strict=True)
    low, high, last = min(losses), max(losses), max(steps)

    def place(step: int, loss: float) -> str:
        across = _MARGIN + step / max(last, 1) * (_WIDTH - 2 * _MARGIN)
        down = _MARGIN + (high - loss) / max(high - low, 1e-9) * (_HEIGHT - 2 * _MARGIN)
        return f"{across:.1f},{down:.1f}"

    lines = [
        f'<polyline fill="none" stroke="{color}" stroke-width="2" '
        f'points="{" ".join(place(*point) for point in line)}"/>'
        for color, line in drawn.items()
        if line
    ]
    words = [
        (_MARGIN, _MARGIN - 8, f"loss {high:.3f}", "#555"),
        (_MARGIN, _HEIGHT - _MARGIN + 16, f"{low:.3f}", "#555"),
        (_WIDTH - 2 * _MARGIN - 30, _HEIGHT - _MARGIN + 16, f"step {last}", "#555"),
        (_WIDTH - 190, _MARGIN - 8, "training", "#4c78a8"),
        (_WIDTH - 110, _MARGIN - 8, "held out", "#f58518"),
    ]
    told = [
        f'<text x="{x}" y="{y}" style="font:12px sans-serif" fill="{color}">{word}</text>'
        for x, y, word, color in words
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *lines, *told]) + (
        "\n</svg>\n"
    )
