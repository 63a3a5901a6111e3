"""Prompt files: search by name, and parsing of few-shot prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.errors import ConfigError
from starchat_tui.templates import prompt_files
from starchat_tui.templates.few_shot import FewShotPrompt

PACKAGED = ("ta", "hhh", "starchat")


class TestFinding:
    def test_a_packaged_prompt_by_name(self) -> None:
        for name in PACKAGED:
            assert prompt_files.read_prompt_text(name).strip()

    def test_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.txt"
        path.write_bytes("\ufeffP\r\n\r\n-----\r\n\r\nHuman: é\r\n\r\nAssistant: b\r\n".encode())
        assert prompt_files.load_few_shot_prompt(str(path)) == FewShotPrompt(
            "P", ("Human: é\n\nAssistant: b",)
        )

    def test_a_file_in_the_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "mine.md").write_text("mine")
        assert prompt_files.read_prompt_text("~/mine.md") == "mine"

    def test_a_stray_file_does_not_replace_a_packaged_prompt(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("ta").write_text("a stranger's")
        assert prompt_files.read_prompt_text("ta") != "a stranger's"
        assert prompt_files.read_prompt_text("./ta") == "a stranger's"

    @pytest.mark.parametrize(
        ("name", "repo", "file", "kind"),
        [
            ("datasets/owner/data/TA_prompt.txt", "owner/data", "TA_prompt.txt", "dataset"),
            ("owner/model/deep/p.md", "owner/model", "deep/p.md", "model"),
        ],
    )
    def test_a_prompt_on_the_hub(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        repo: str,
        file: str,
        kind: str,
    ) -> None:
        asked: list[tuple[str, str, str]] = []
        (tmp_path / "found").write_text("theirs")

        def download(repo: str, file: str, *, repo_type: str, **_: object) -> str:
            asked.append((repo, file, repo_type))
            return str(tmp_path / "found")

        monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
        assert prompt_files.read_prompt_text(name) == "theirs"
        assert asked == [(repo, file, kind)]

    def test_a_prompt_on_the_hub_without_a_connection(self) -> None:
        with pytest.raises(ConfigError, match="cannot be downloaded") as raised:
            prompt_files.read_prompt_text("datasets/owner/data/none.txt")
        assert raised.value.hint

    @pytest.mark.parametrize(
        "name", ["nothing", "", "./nothing.md", "/no/such.md", "x" * 300, "a\0b", "~nobody/x.md"]
    )
    def test_an_unknown_name_gets_the_packaged_names(self, name: str) -> None:
        with pytest.raises(ConfigError, match="No prompt called") as raised:
            prompt_files.read_prompt_text(name)
        assert "hhh, starchat, ta" in raised.value.hint

    def test_a_file_that_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "x.md").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ConfigError, match=r"cannot be read|not text") as raised:
            prompt_files.read_prompt_text(str(tmp_path / "x.md"))
        assert "UTF-8" in raised.value.hint


class TestParse:
    def test_preamble_and_dialogues(self) -> None:
        wanted = ("Human: a\n\nAssistant: b", "Human: c\nAssistant: d")
        text = f"P\nq\n\n-----\n\n{wanted[0]}\n-----  \n\n{wanted[1]}\n\n-----\n"
        assert prompt_files.parse_few_shot_prompt(text) == FewShotPrompt("P\nq", wanted)

    def test_only_a_preamble(self) -> None:
        assert prompt_files.parse_few_shot_prompt("P\n") == FewShotPrompt("P", ())

    def test_longer_or_indented_dashes_do_not_divide(self) -> None:
        assert prompt_files.parse_few_shot_prompt("P\n\n------\n -----\n").examples == ()

    @pytest.mark.parametrize("example", ["hello", "Assistant: b", "Human: a", "User: a"])
    def test_an_example_without_roles_is_named(self, example: str) -> None:
        text = f"P\n-----\nHuman: a\nAssistant: b\n-----\n{example}"
        with pytest.raises(ConfigError, match="Example 2 of `mine`") as raised:
            prompt_files.parse_few_shot_prompt(text, "mine")
        assert raised.value.hint

    @pytest.mark.parametrize("text", ["", "\n-----\nHuman: a\nAssistant: b"])
    def test_no_preamble(self, text: str) -> None:
        with pytest.raises(ConfigError, match="no preamble"):
            prompt_files.parse_few_shot_prompt(text)
