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
        _render_front_matter(facts),
        [f"# {name}", "", *_render_summary(facts), ""],
        _render_usage(facts, name),
        _render_data(facts),
        _render_training(facts),
        _render_curves(facts),
        _render_limitations(facts),
    )
    return "\n".join(line for part in parts for line in part)


def _render_front_matter(facts: RunFacts) -> list[str]:
    config = facts.config
    # Local paths stay out of the metadata: the Hub would link them, and they say nothing to others.
    metadata: dict[str, Any] = {
        "library_name": "peft" if config.lora_rank else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["code", "chat", "starchat"],
    }
    if _is_on_hub(config.model):
        metadata["base_model"] = config.model
    sets = [source for source in config.dataset if _is_on_hub(source)]
    if sets:
        metadata["datasets"] = sets
    return ["---", yaml.safe_dump(metadata, sort_keys=True).strip(), "---", ""]


def _is_on_hub(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not Path(name).exists()


def _render_summary(facts: RunFacts) -> Iterator[str]:
    kind = "A LoRA adapter for" if facts.config.lora_rank else "A fine-tune of"
    yield (
        f"{kind} `{facts.config.model}` on dialogues in ChatML. It learned what the assistant says "
        "and where it ends, not the text of users or system prompts."
    )


def _render_usage(facts: RunFacts, name: str) -> list[str]:
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


def _render_data(facts: RunFacts) -> list[str]:
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
        reasons = sorted(facts.refused.items(), key=lambda pair: -pair[1])
        lines += ["| refused | rows or messages |", "|---|---:|"]
        lines += [f"| {reason} | {count:,} |" for reason, count in reasons]
        lines.append("")
    return lines


def _render_training(facts: RunFacts) -> list[str]:
    values = asdict(facts.config)
    skipped = HARMLESS | {"model", "dataset", "eval_dataset", "deepspeed"}
    rows = [(key, values[key]) for key in values if key not in skipped]
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


def _render_curves(facts: RunFacts) -> list[str]:
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


def _render_limitations(facts: RunFacts) -> list[str]:
    return [
        "## Limitations",
        "",
        "Its answers are likely continuations of what it was trained on, not necessarily correct. "
        "Code it writes may fail or do harm: read it before you run it. It was not trained to "
        f"refuse requests. It shares the limitations of its base model (`{facts.config.model}`), "
        "and the licenses of the base model and of the data apply.",
        "",
    ]
