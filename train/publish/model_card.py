"""Model card of a fine-tune: data, training, curves and limitations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from train.config import HARMLESS, Config, format_value
from train.publish.loss_curve import draw_loss_curve, extract_series

CURVE = "loss.svg"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Contents of a model card."""

    config: Config
    trees: int
    held_out: int
    """Trees held out for evaluation."""
    rows: int
    """Packed rows per epoch."""
    tokens: int
    """Tokens in those rows."""
    learned: int
    """Tokens in those rows that are learned: the assistant's."""
    refused: Mapping[str, int]
    """Rows or messages that were refused, by reason."""
    parameters: int
    trained: int
    """Trained parameters."""
    processes: int
    device: str
    steps: int
    seconds: float
    log: Sequence[Mapping[str, Any]]
    """Log history of the trainer."""


def write_card(folder: Path, facts: RunFacts, name: str) -> None:
    """Write the card, its drawing, and the full log history."""
    (folder / "README.md").write_text(render_card(facts, name), encoding="utf-8")
    (folder / "history.json").write_text(json.dumps(list(facts.log), indent=1), encoding="utf-8")
    if drawing := draw_loss_curve(facts.log):
        (folder / CURVE).write_text(drawing, encoding="utf-8")


def render_card(facts: RunFacts, name: str) -> str:
    """Return the card in Markdown, with the front matter that the Hub reads."""
    parts = (
        _front(facts),
        [f"# {name}", "", *_summary(facts), ""],
        _usage(facts, name),
        _data(facts),
        _training(facts),
        _curves(facts),
        _limitations(facts),
    )
    return "\n".join(line for part in parts for line in part)


def _front(facts: RunFacts) -> list[str]:
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


def _summary(facts: RunFacts) -> Iterator[str]:
    kind = "A LoRA adapter for" if facts.config.lora_rank else "A fine-tune of"
    yield (
        f"{kind} `{facts.config.model}` on dialogues in ChatML. It learned what the assistant says "
        "and where it ends, not the text of users or system prompts."
    )


def _usage(facts: RunFacts, name: str) -> list[str]:
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


def _data(facts: RunFacts) -> list[str]:
    sources = ", ".join(f"`{source}`" for source in facts.config.dataset)
    share = facts.learned / max(facts.tokens, 1)
    lines = [
        "## Data",
        "",
        f"{sources}: {facts.trees:,} message trees for training, {facts.held_out:,} held out; "
        f"{facts.tokens:,} tokens in {facts.rows:,} rows, {share:.0%} of them learned.",
        "",
    ]
    if facts.refused:
        counted = sorted(facts.refused.items(), key=lambda pair: -pair[1])
        lines += ["| refused | rows or messages |", "|---|---:|"]
        lines += [f"| {reason} | {count:,} |" for reason, count in counted]
        lines.append("")
    return lines


def _training(facts: RunFacts) -> list[str]:
    chosen = asdict(facts.config)
    skipped = HARMLESS | {"model", "dataset", "eval_dataset", "deepspeed"}
    rows = [(key, chosen[key]) for key in chosen if key not in skipped]
    table = [f"| `{key}` | {format_value(value)} |" for key, value in rows if value not in ("", ())]
    trained = facts.trained / 1e6
    return [
        "## Training",
        "",
        f"{facts.steps:,} steps in {facts.seconds / 60:.1f} minutes on {facts.processes} × "
        f"{facts.device}; {trained:,.2f}M of {facts.parameters / 1e6:,.2f}M parameters trained.",
        "",
        "| key | value |",
        "|---|---|",
        *table,
        "",
    ]


def _curves(facts: RunFacts) -> list[str]:
    losses = extract_series(facts.log, "loss")
    measured = extract_series(facts.log, "eval_loss")
    perplexity = dict(extract_series(facts.log, "eval_perplexity"))
    lines = ["## Curves", ""]
    if losses:
        lines += [f"![Loss over the steps]({CURVE})", ""]
    if measured:
        lines += ["| step | held-out loss | perplexity |", "|---:|---:|---:|"]
        lines += [f"| {at} | {loss:.4f} | {perplexity.get(at, 0):.3f} |" for at, loss in measured]
        lines += ["", "Measured on the assistant's tokens of held-out trees.", ""]
    else:
        lines += ["Nothing was held out, so its loss on unseen data is unknown.", ""]
    return lines


def _limitations(facts: RunFacts) -> list[str]:
    return [
        "## Limitations",
        "",
        "It says what is likely after what it learned, also where that is wrong, and code that it "
        "writes may not run or may do harm: read it first. It was not trained to refuse. What its "
        f"base model (`{facts.config.model}`) cannot do, it cannot do either, and the licence of "
        "the base model and of the data applies.",
        "",
    ]
