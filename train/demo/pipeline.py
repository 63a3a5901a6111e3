"""Pipeline of the demo models, from sources to weights and model cards.

Each stage writes into a folder named after a digest of its inputs: sizes, code and the results of
earlier stages. A stage whose folder is complete is not run again.
"""

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
from tokenizers import Tokenizer as HFTokenizer
from transformers import GPTBigCodeForCausalLM

from starchat_tui.dialogue import Mode
from starchat_tui.templates.prompt_files import read_prompt_text
from starchat_tui.templates.tokenizer import SHARED_TOKENIZER, Tokenizer
from train.demo import (
    bpe_training,
    chat_stage,
    corpus,
    demo_card,
    pretrain,
    pretrain_data,
    sample_files,
    small_model,
    synthesize,
)
from train.demo.evaluation.scoring import MODEL_NAMES, score_model
from train.demo.preambles import PREAMBLES
from train.demo.sizes import Sizes
from train.demo.tasks.family import Sample

HERE = Path(__file__).parent
CHECKER_FILES = (
    "evaluation/check.py",
    "evaluation/code_worker.py",
    "evaluation/plot_worker.py",
    "evaluation/figure_match.py",
    "evaluation/figure_reader.py",
)
"""Code that decides whether an answer is right."""
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
SHIPPED_FILES = ("config.json", "generation_config.json", "model.safetensors")
"""Files of a model that the package ships, besides those of its tokenizer."""
TOKENIZER_DIALOGUES = 15_000
"""Dialogues that the tokenizer is trained on, after all of the Python."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """All stages at one size, in one build folder."""

    sizes: Sizes
    build: Path

    def build_corpus(self) -> Path:
        """Collect the Python sources: python.jsonl and counts.json."""
        parts = [
            self._describe_sizes("seed", "corpus_chars", "package_chars"),
            _hash_code("corpus.py"),
        ]
        return self._run_stage("corpus", parts, self._write_corpus)

    def build_dialogues(self) -> Path:
        """Generate the dialogues: one .jsonl file for each side of the split, and made.json."""
        parts = [
            self._describe_sizes("seed", "pretrain_dialogues", "finetune_dialogues", "scored"),
            _hash_code(
                "synthesize.py",
                "sample_files.py",
                "near_duplicates.py",
                *CHECKER_FILES,
                "tasks/**/*.py",
                "tasks/data/*.yaml",
            ),
        ]
        return self._run_stage("dialogues", parts, self._write_dialogues)

    def build_tokenizer(self) -> Path:
        """Train the tokenizer: tokenizer.json and tokenizer_config.json."""
        parts = [
            *self.hash_sources().values(),
            self._describe_sizes("vocabulary"),
            _hash_code("bpe_training.py"),
        ]
        return self._run_stage("tokenizer", parts, self._write_tokenizer)

    def hash_sources(self) -> dict[str, str]:
        """Return the SHA-256 of each source that tokenizer and base model learn from, by name.

        The data is hashed, not the code that made it: a check that refuses nothing new leaves the
        models as they are.
        """
        return {
            "Python": _hash_file(self.build_corpus() / "python.jsonl"),
            "dialogues": _hash_file(self.build_dialogues() / "pretrain.jsonl"),
        }

    def build_base_rows(self) -> Path:
        """Encode everything the base model reads: python.npy and transcripts.npz."""
        parts = [
            *self.hash_sources().values(),
            self._hash_tokenizer(),
            _hash_code("pretrain_data.py"),
        ]
        return self._run_stage("rows", parts, self._write_base_rows)

    def build_base(self) -> Path:
        """Pre-train the model from which both shipped models are trained on."""
        parts = [
            self.build_base_rows().name,
            self._describe_sizes("model", "pretrain"),
            read_prompt_text("ta"),
            _hash_code(
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
        return self._run_stage("base", parts, self._write_base)

    def build_annealed(self) -> Path:
        """Train the base model on with more transcripts, behind long prompts: nano-base."""
        parts = [self.build_base().name, self._describe_sizes("anneal")]
        return self._run_stage("annealed", parts, self._write_annealed)

    def build_chat(self) -> Path:
        """Fine-tune the base model on the dialogues: nano-chat."""
        parts = [
            self.build_base().name,
            self._hash_finetune_dialogues(),
            self._describe_sizes("seed", "finetune"),
            _hash_code(
                "chat_stage.py",
                "conversations.py",
                "../configs/demo.yaml",
                *chat_stage.CODE_FILES,
            ),
        ]
        return self._run_stage("chat", parts, self._write_chat)

    def build_scores(self) -> Path:
        """Score both models in their modes on everything held out: scores.json."""
        code = _hash_code(
            "evaluation/scoring.py",
            "evaluation/generate.py",
            "evaluation/statistics.py",
            *CHECKER_FILES,
            "evaluation/twenty.yaml",
        )
        parts = [
            self.build_chat().name,
            self.build_annealed().name,
            self._describe_sizes("asked"),
            read_prompt_text("ta"),
            code,
        ]
        return self._run_stage("scores", parts, self._write_scores)

    def export_weights(self, target: Path) -> Path:
        """Write both models with their cards into `target`, laid out as the package ships them.

        The tokenizer is written once, in `target` itself: each model's tokenizer_config.json
        refers to it. facts.json and each model's scores.json hold all that the cards report.
        """
        folders: dict[Mode, Path] = {"ta": self.build_annealed(), "chat": self.build_chat()}
        facts = self._collect_facts(folders)
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.build_tokenizer() / "tokenizer.json", target / "tokenizer.json")
        for mode, folder in folders.items():
            exported = target / MODEL_NAMES[mode]
            exported.mkdir(exist_ok=True)
            for name in SHIPPED_FILES:
                shutil.copy(folder / name, exported / name)
            config = _read_json(folder / "tokenizer_config.json")
            _write_json(
                exported / "tokenizer_config.json", config | {"shared_tokenizer": SHARED_TOKENIZER}
            )
            (exported / "README.md").write_text(demo_card.render_card(mode, facts))
            _write_json(exported / "scores.json", facts.scores[mode])
        recorded = asdict(facts)
        del recorded["scores"]
        _write_json(target / "facts.json", recorded)
        return target

    def load_tokenizer(self) -> Tokenizer:
        """Load the tokenizer in the form that the client uses."""
        return Tokenizer.load(self.build_tokenizer() / "tokenizer.json")

    def load_base_rows(self) -> pretrain_data.BaseRows:
        """Load the training data of the base model."""
        tokenizer = self.load_tokenizer()
        return pretrain_data.BaseRows(
            np.load(self.build_base_rows() / "python.npy"),
            pretrain_data.load_ragged(self.build_base_rows() / "transcripts.npz"),
            pretrain_data.encode_prompt_head(tokenizer, self.sizes.model.n_positions),
            tuple(tuple(tokenizer.encode(text)) for text in PREAMBLES),
        )

    def _run_stage(self, name: str, parts: list[str], write: Callable[[Path], None]) -> Path:
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
        folder = self.build / f"{name}-{digest}"
        # The marker comes last: an interrupted stage leaves none and is written again.
        if not (folder / "done").exists():
            print(f"{name}: making {folder}", file=sys.stderr, flush=True)
            folder.mkdir(parents=True, exist_ok=True)
            write(folder)
            (folder / "done").touch()
        return folder

    def _describe_sizes(self, *names: str) -> str:
        return json.dumps({name: asdict(self.sizes)[name] for name in names}, sort_keys=True)

    def _hash_finetune_dialogues(self) -> str:
        return _hash_file(self.build_dialogues() / "finetune.jsonl")

    def _hash_tokenizer(self) -> str:
        return _hash_file(self.build_tokenizer() / "tokenizer.json")

    def _collect_facts(self, folders: dict[Mode, Path]) -> demo_card.CardFacts:
        made = _read_json(self.build_dialogues() / "made.json")
        return demo_card.CardFacts(
            corpus=_read_json(self.build_corpus() / "counts.json"),
            made=made | {"families": len(made["families"])},
            scores=_read_json(self.build_scores() / "scores.json"),
            pretrained=_read_json(self.build_base() / "progress.json"),
            progress={
                mode: _read_json(folder / "progress.json") for mode, folder in folders.items()
            },
            hashes={
                **self.hash_sources(),
                "fine-tune dialogues": self._hash_finetune_dialogues(),
                "tokenizer": self._hash_tokenizer(),
            },
            parameters=small_model.count_parameters(self.build_chat()),
            window=self.sizes.model.n_positions,
        )

    def _write_corpus(self, folder: Path) -> None:
        sizes = self.sizes
        sources = corpus.collect_sources(
            seed=sizes.seed, chars=sizes.corpus_chars, package_chars=sizes.package_chars
        )
        lines = (json.dumps(source.text) + "\n" for source in sources)
        (folder / "python.jsonl").write_text("".join(lines))
        _write_json(folder / "counts.json", corpus.count_sources(sources))

    def _write_dialogues(self, folder: Path) -> None:
        sizes = self.sizes
        dialogues = synthesize.make_dialogues(
            seed=sizes.seed,
            pretrain=sizes.pretrain_dialogues,
            finetune=sizes.finetune_dialogues,
            scored=sizes.scored,
        )
        for side, samples in dialogues.sides.items():
            sample_files.save_samples(samples, folder / f"{side}.jsonl")
        _write_json(folder / "made.json", synthesize.summarize_corpus(dialogues))

    def _write_tokenizer(self, folder: Path) -> None:
        dialogues = [
            f"{exchange.question}\n{exchange.answer}"
            for sample in self._load_side("pretrain")[:TOKENIZER_DIALOGUES]
            for exchange in sample.exchanges
        ]
        trained = bpe_training.train_tokenizer(
            bpe_training.chain_texts(self._load_python(), dialogues), self.sizes.vocabulary
        )
        bpe_training.save_tokenizer(trained, folder, window=self.sizes.model.n_positions)

    def _write_base_rows(self, folder: Path) -> None:
        bpe = HFTokenizer.from_file(str(self.build_tokenizer() / "tokenizer.json"))
        tokenizer = self.load_tokenizer()
        stream: list[int] = []
        for text in self._load_python():
            stream += bpe.encode(text).ids
            stream.append(tokenizer.end_of_text_id)
        # Every size has fewer than 65,536 ids.
        np.save(folder / "python.npy", np.array(stream, dtype=np.uint16))
        transcripts = [
            pretrain_data.encode_transcript(sample, tokenizer)
            for sample in self._load_side("pretrain")
        ]
        pretrain_data.save_ragged(folder / "transcripts.npz", transcripts)

    def _write_base(self, folder: Path) -> None:
        tokenizer = self.load_tokenizer()
        model = small_model.create_model(
            self.sizes.model,
            vocabulary=len(tokenizer),
            end_of_text=tokenizer.end_of_text_id,
            seed=self.sizes.seed,
        )
        progress = pretrain.pretrain_model(
            model,
            self.load_base_rows(),
            self.sizes.pretrain,
            seed=self.sizes.seed,
            checkpoint=folder / "checkpoint.pt",
        )
        self._export_base_model(model, folder, progress)

    def _write_annealed(self, folder: Path) -> None:
        model = small_model.load_model(self.build_base())
        progress = pretrain.pretrain_model(
            model,
            self.load_base_rows(),
            self.sizes.anneal,
            # Another seed than the pre-training's, whose rows it would read again.
            seed=self.sizes.seed + 2,
            checkpoint=folder / "checkpoint.pt",
        )
        self._export_base_model(model, folder, progress)

    def _write_chat(self, folder: Path) -> None:
        progress = chat_stage.train_chat_model(
            self.build_base(),
            {stage: self._load_side(stage) for stage in ("pretrain", "finetune")},
            [*self._load_side("values"), *self._load_side("phrasing")],
            self.sizes.finetune,
            seed=self.sizes.seed,
            folder=folder,
        )
        _write_json(folder / "progress.json", progress)

    def _write_scores(self, folder: Path) -> None:
        models: dict[Mode, Path] = {"chat": self.build_chat(), "ta": self.build_annealed()}
        scores = {
            mode: score_model(weights, mode, self.build_dialogues(), self.sizes.asked)
            for mode, weights in models.items()
        }
        _write_json(folder / "scores.json", scores)

    def _export_base_model(
        self, model: GPTBigCodeForCausalLM, folder: Path, progress: pretrain.Progress
    ) -> None:
        small_model.export_model(model, folder, end_of_text=self.load_tokenizer().end_of_text_id)
        for file in TOKENIZER_FILES:
            shutil.copy(self.build_tokenizer() / file, folder / file)
        _write_json(folder / "progress.json", asdict(progress))

    def _load_python(self) -> list[str]:
        lines = (self.build_corpus() / "python.jsonl").read_text().splitlines()
        texts = [str(json.loads(line)) for line in lines]
        Random(self.sizes.seed).shuffle(texts)
        return texts

    def _load_side(self, side: str) -> list[Sample]:
        return sample_files.load_samples(self.build_dialogues() / f"{side}.jsonl")


def _hash_code(*patterns: str) -> str:
    """Return a digest of the files that match the patterns, relative to this folder.

    Raises `FileNotFoundError` for a pattern without a match: a file that was moved would otherwise
    leave the digest without anybody's notice, and a stale stage would pass for a current one.
    """
    files = []
    for pattern in patterns:
        found = sorted(HERE.glob(pattern))
        if not found:
            raise FileNotFoundError(f"no file matches {pattern}")
        files += found
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
