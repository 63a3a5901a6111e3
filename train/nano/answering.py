"""Greedy answers of an exported model, many questions at a time, in either mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import DynamicCache, GPTBigCodeForCausalLM

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
        """Answers to prompts [B][T]: what all begin with once, the rest padded on the left."""
        shared = common_prefix(prompts)
        rests = [prompt[shared:] for prompt in prompts]
        longest = max(map(len, rests))
        ids = torch.tensor([[0] * (longest - len(rest)) + rest for rest in rests])
        mask = torch.tensor(
            [[1] * shared + [0] * (longest - len(rest)) + [1] * len(rest) for rest in rests]
        )
        cache = self._prefilled(prompts[0][:shared], len(prompts))
        said: list[list[int]] = [[] for _ in prompts]
        done: list[str | None] = [None] * len(prompts)
        for _ in range(min(most, self.window - shared - longest)):
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
        return [self._answer(tokens, end) for tokens, end in zip(said, done, strict=True)]

    def _prefilled(self, shared: list[int], count: int) -> DynamicCache | None:
        """The cache of what all prompts begin with, once for each of them."""
        if not shared:
            return None
        out = self.model(input_ids=torch.tensor([shared]), use_cache=True, logits_to_keep=1)
        cache: DynamicCache = out.past_key_values
        cache.batch_repeat_interleave(count)
        return cache

    def _answer(self, tokens: list[int], end: str | None) -> Answer:
        text = self.vocabulary.decode(tokens) if end is None else end
        return Answer(self.template.answer(text), cut=end is None)

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


def common_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """The number of ids that all prompts begin with, at most one less than the shortest has."""
    shortest = min(map(len, prompts)) - 1
    first = prompts[0]
    return next(
        (at for at in range(shortest) if any(prompt[at] != first[at] for prompt in prompts)),
        shortest,
    )
