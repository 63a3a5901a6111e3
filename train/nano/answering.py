"""Greedy answers of an exported model, many questions at a time, in either mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import GPTBigCodeForCausalLM

from starchat_tui.dialogue import Dialogue, Mode
from starchat_tui.prompts import few_shot
from starchat_tui.template import ChatML, TechnicalAssistant, Template, prompt_ids
from starchat_tui.vocabulary import Vocabulary
from train.nano import model as models


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, and whether it was cut off at the length limit."""

    text: str
    cut: bool


class Answerer:
    """A model in one mode."""

    def __init__(self, folder: Path, mode: Mode) -> None:
        self.model: GPTBigCodeForCausalLM = models.read(folder)
        self.vocabulary = Vocabulary.load(folder / "tokenizer.json")
        window = self.model.config.n_positions
        self.template: Template = (
            ChatML(self.vocabulary)
            if mode == "chat"
            else TechnicalAssistant(self.vocabulary, few_shot("ta"), window=window)
        )
        self.window = window

    def answers(
        self, dialogues: Sequence[Dialogue], *, most: int = 320, rows: int = 24
    ) -> list[Answer]:
        """An answer at temperature 0 to each dialogue, which must end with a user turn."""
        order = sorted(
            range(len(dialogues)), key=lambda i: len(prompt_ids(dialogues[i], self.template))
        )
        found: dict[int, Answer] = {}
        for at in range(0, len(order), rows):
            part = order[at : at + rows]
            prompts = [prompt_ids(dialogues[i], self.template) for i in part]
            found |= zip(part, self._batch(prompts, most), strict=True)
        return [found[i] for i in range(len(dialogues))]

    @torch.inference_mode()
    def _batch(self, prompts: list[list[int]], most: int) -> list[Answer]:
        """Answers to prompts [B][T], which are padded on the left to one length."""
        longest = max(map(len, prompts))
        most = min(most, self.window - longest)
        ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
        cache = None
        said: list[list[int]] = [[] for _ in prompts]
        done: list[str | None] = [None] * len(prompts)
        for _ in range(most):
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.size(1) :]
            out = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = out.past_key_values
            ids = out.logits[:, -1].argmax(-1, keepdim=True)
            mask = torch.cat([mask, torch.ones_like(ids)], 1)
            for row, token in enumerate(ids[:, 0].tolist()):
                if done[row] is None:
                    said[row].append(token)
                    done[row] = self._ended(said[row])
            if None not in done:
                break
        return [
            Answer(
                self.template.answer(self.vocabulary.decode(tokens) if end is None else end),
                end is None,
            )
            for tokens, end in zip(said, done, strict=True)
        ]

    def _ended(self, tokens: list[int]) -> str | None:
        """The text so far where it has ended, without what ended it."""
        stops = self.template.stops()
        if tokens[-1] in stops.ids:
            return self.vocabulary.decode(tokens[:-1])
        if not stops.texts:
            return None
        text = self.vocabulary.decode(tokens)
        ends = [text.index(stop) for stop in stops.texts if stop in text]
        return text[: min(ends)] if ends else None
