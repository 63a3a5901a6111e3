"""The stages, each in a folder named after what it depends on, so that none is done twice."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from transformers import GPTBigCodeForCausalLM

from starchat_tui.dialogue import Mode
from starchat_tui.templates.prompt_files import text_of
from starchat_tui.templates.tokenizer import Vocabulary
from train.demo import (
    bpe_training,
    chat_stage,
    corpus,
    demo_card,
    pretrain,
    pretrain_data,
    small_model,
    synthesize,
)
from train.demo.evaluation import __main__
from train.demo.preambles import PREAMBLES
from train.demo.sizes import Sizes
from train.demo.tasks.family import Sample

HERE = Path(__file__).parent
CHECKING = (
    "evaluation/check.py",
    "evaluation/code_worker.py",
    "evaluation/plot_worker.py",
    "evaluation/figure_match.py",
    "evaluation/figure_reader.py",
)
"""What decides whether an answer is right."""
SHIPPED = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
)


@dataclass(frozen=True, slots=True)
class Stages:
    """A run of all stages at one size, under one build folder."""

    sizes: Sizes
    build: Path

    def corpus(self) -> Path:
        """python.jsonl and counts.json."""
        return self._cached(
            "corpus",
            [self._sizes("seed", "corpus_chars", "package_chars"), _code("corpus.py")],
            self._corpus,
        )

    def dialogues(self) -> Path:
        """One .jsonl for each side of the split, and made.json."""
        parts = [
            self._sizes("seed", "dialogues", "later", "scored"),
            _code(
                "synthesize.py",
                "near_duplicates.py",
                *CHECKING,
                "tasks/**/*.py",
                "tasks/data/*.yaml",
            ),
        ]
        return self._cached("dialogues", parts, self._dialogues)

    def tokenizer(self) -> Path:
        """tokenizer.json and tokenizer_config.json."""
        parts = [*self.sources().values(), self._sizes("vocabulary"), _code("bpe_training.py")]
        return self._cached("tokenizer", parts, self._tokenizer)

    def sources(self) -> dict[str, str]:
        """SHA-256 of what the tokenizer and the base model learn from, by what it is.

        Whatever code made it: a changed check that refuses nothing more changes no model.
        """
        return {
            "Python": _digest(self.corpus() / "python.jsonl"),
            "dialogues": _digest(self.dialogues() / "train.jsonl"),
        }

    def base_rows(self) -> Path:
        """Everything as ids: python.npy and transcripts.npz."""
        parts = [*self.sources().values(), self._hashed_tokenizer(), _code("pretrain_data.py")]
        return self._cached("rows", parts, self._base_rows)

    def _hashed_later(self) -> str:
        return _digest(self.dialogues() / "later.jsonl")

    def _hashed_tokenizer(self) -> str:
        return _digest(self.tokenizer() / "tokenizer.json")

    def base(self) -> Path:
        """The exported base model, with its progress."""
        parts = [
            self.base_rows().name,
            self._sizes("model", "pretrain"),
            text_of("ta"),
            _code(
                "small_model.py",
                "copy_heads.py",
                "../modeling/compute.py",
                "../modeling/muon.py",
                "pretrain.py",
                "pretrain_data.py",
                "preambles.py",
                "../modeling/attention.py",
                "../modeling/loss.py",
            ),
        ]
        return self._cached("base", parts, self._base)

    def annealed(self) -> Path:
        """The base model that ships: trained on with more transcripts, behind long prompts."""
        parts = [self.base().name, self._sizes("anneal")]
        return self._cached("annealed", parts, self._annealed)

    def chat(self) -> Path:
        """The finished chat model, with its progress."""
        code = _code("chat_stage.py", "conversations.py", "../configs/demo.yaml", *chat_stage.CODE)
        parts = [self.base().name, self._hashed_later(), self._sizes("seed", "finetune"), code]
        return self._cached("chat", parts, self._chat)

    def scores(self) -> Path:
        """scores.json: both models in their modes, on everything held out."""
        code = _code(
            "evaluation/__main__.py",
            "evaluation/generate.py",
            "evaluation/statistics.py",
            *CHECKING,
            "evaluation/twenty.yaml",
        )
        parts = [self.chat().name, self.annealed().name, self._sizes("asked"), text_of("ta"), code]
        return self._cached("scores", parts, self._scores)

    def weights(self, target: Path) -> Path:
        """Both models with their cards, in `target`, as the package ships them."""
        made: dict[Mode, Path] = {"ta": self.annealed(), "chat": self.chat()}
        facts = demo_card.Facts(
            corpus=_read(self.corpus() / "counts.json"),
            made=_read(self.dialogues() / "made.json"),
            scores=_read(self.scores() / "scores.json"),
            pretrained=_read(self.base() / "progress.json"),
            progress={mode: _read(folder / "progress.json") for mode, folder in made.items()},
            hashes={
                **self.sources(),
                "later dialogues": self._hashed_later(),
                "tokenizer": self._hashed_tokenizer(),
            },
            parameters=small_model.parameters(self.chat()),
            window=self.sizes.model.n_positions,
        )
        for mode, folder in made.items():
            into = target / __main__.MODES[mode]
            into.mkdir(parents=True, exist_ok=True)
            for name in SHIPPED:
                shutil.copy(folder / name, into / name)
            (into / "README.md").write_text(demo_card.text(mode, facts))
            _write(into / "scores.json", facts.scores[mode])
        return target

    def _sizes(self, *names: str) -> str:
        return json.dumps({name: asdict(self.sizes)[name] for name in names}, sort_keys=True)

    def _cached(self, name: str, parts: list[str], make: Callable[[Path], None]) -> Path:
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
        folder = self.build / f"{name}-{digest}"
        if not (folder / "done").exists():
            print(f"{name}: making {folder}", file=sys.stderr, flush=True)
            folder.mkdir(parents=True, exist_ok=True)
            make(folder)
            (folder / "done").touch()
        return folder

    def _corpus(self, folder: Path) -> None:
        sizes = self.sizes
        kept = corpus.sources(
            seed=sizes.seed, chars=sizes.corpus_chars, package_chars=sizes.package_chars
        )
        lines = (json.dumps(source.text) + "\n" for source in kept)
        (folder / "python.jsonl").write_text("".join(lines))
        _write(folder / "counts.json", corpus.counts(kept))

    def _dialogues(self, folder: Path) -> None:
        sizes = self.sizes
        made = synthesize.make(
            seed=sizes.seed, count=sizes.dialogues, later=sizes.later, scored=sizes.scored
        )
        for side, samples in made.sides.items():
            synthesize.save(samples, folder / f"{side}.jsonl")
        _write(folder / "made.json", synthesize.summary(made))

    def _tokenizer(self, folder: Path) -> None:
        spoken = [
            f"{e.question}\n{e.answer}"
            for sample in self._side("train")[:15_000]
            for e in sample.exchanges
        ]
        made = bpe_training.trained(
            bpe_training.mixed(self._python(), spoken), self.sizes.vocabulary
        )
        bpe_training.save(made, folder, window=self.sizes.model.n_positions)

    def _base_rows(self, folder: Path) -> None:
        bpe = Tokenizer.from_file(str(self.tokenizer() / "tokenizer.json"))
        end = self.vocabulary().end_of_text_id
        stream: list[int] = []
        for text in self._python():
            stream += bpe.encode(text).ids
            stream.append(end)
        np.save(folder / "python.npy", np.array(stream, dtype=np.uint16))
        vocabulary = self.vocabulary()
        spoken = [pretrain_data.transcript(sample, vocabulary) for sample in self._side("train")]
        pretrain_data.save_ragged(folder / "transcripts.npz", spoken)

    def _base(self, folder: Path) -> None:
        vocabulary = self.vocabulary()
        made = small_model.new(
            self.sizes.model,
            vocabulary=len(vocabulary),
            end_of_text=vocabulary.end_of_text_id,
            seed=self.sizes.seed,
        )
        progress = pretrain.train(
            made,
            self.read_base_rows(),
            self.sizes.pretrain,
            seed=self.sizes.seed,
            checkpoint=folder / "checkpoint.pt",
        )
        self._finish(made, folder, [vocabulary.end_of_text_id], progress)

    def _annealed(self, folder: Path) -> None:
        made = small_model.read(self.base())
        progress = pretrain.train(
            made,
            self.read_base_rows(),
            self.sizes.anneal,
            seed=self.sizes.seed + 2,
            checkpoint=folder / "checkpoint.pt",
        )
        self._finish(made, folder, [self.vocabulary().end_of_text_id], progress)

    def _chat(self, folder: Path) -> None:
        progress = chat_stage.train(
            self.base(),
            {"train": self._side("train"), "later": self._side("later")},
            [*self._side("values"), *self._side("phrasing")],
            self.sizes.finetune,
            seed=self.sizes.seed,
            folder=folder,
        )
        _write(folder / "progress.json", progress)

    def _finish(
        self,
        made: GPTBigCodeForCausalLM,
        folder: Path,
        ends: list[int],
        progress: pretrain.Progress,
    ) -> None:
        small_model.export(made, folder, ends=ends)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(self.tokenizer() / file, folder / file)
        _write(folder / "progress.json", asdict(progress))

    def _scores(self, folder: Path) -> None:
        made: dict[Mode, Path] = {"chat": self.chat(), "ta": self.annealed()}
        result = {
            mode: __main__.scores(weights, mode, self.dialogues(), self.sizes.asked)
            for mode, weights in made.items()
        }
        _write(folder / "scores.json", result)

    def vocabulary(self) -> Vocabulary:
        """The tokenizer as the face uses it."""
        return Vocabulary.load(self.tokenizer() / "tokenizer.json")

    def read_base_rows(self) -> pretrain_data.BaseRows:
        """What the base model is trained on."""
        vocabulary = self.vocabulary()
        return pretrain_data.BaseRows(
            np.load(self.base_rows() / "python.npy"),
            pretrain_data.load_ragged(self.base_rows() / "transcripts.npz"),
            pretrain_data.prompt_head(vocabulary, self.sizes.model.n_positions),
            tuple(tuple(vocabulary.text_ids(text)) for text in PREAMBLES),
        )

    def _python(self) -> list[str]:
        lines = (self.corpus() / "python.jsonl").read_text().splitlines()
        texts = [str(json.loads(line)) for line in lines]
        Random(self.sizes.seed).shuffle(texts)
        return texts

    def _side(self, side: str) -> list[Sample]:
        return synthesize.load(self.dialogues() / f"{side}.jsonl")


def _code(*patterns: str) -> str:
    """What the named modules say, as part of a stage's name."""
    files = sorted(path for pattern in patterns for path in HERE.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
