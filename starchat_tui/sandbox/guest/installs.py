"""Attempts to install packages: answered at once, since the sandbox has no network.

Run as a file, with the command's words as arguments, it prints the answer for a shell. It exits
with `NOT_ANSWERED` for a command that installs nothing, which the shell then runs itself.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence

NOT_ANSWERED = 125
MARKER = "environment.json"
"""File in an environment that StarChat has created: its packages are those of a lock file."""
INSTALLERS = ("pip", "pip3", "uv", "conda", "mamba", "micromamba", "apt", "apt-get")
"""Programs whose installations are answered."""
_PYTHONS = ("python", "python3")
_SYSTEM = ("apt", "apt-get")
_VERBS = ("install", "add", "download")
_OPTIONS_WITH_VALUE = (
    *("-c", "--channel", "-n", "--name", "-p", "--prefix", "--python", "-r", "--requirement"),
    *("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target"),
)
# A requirement begins with the distribution's name; a version or a marker may follow.
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")

_FUNCTION = """\
() {{
  local status={not_answered}
  case "{name} $1 $2" in
    python*"-m pip"|[!p]*|pip*) {python} -I {answer} {name} "$@" </dev/null; status=$? ;;
  esac
  if [ $status -eq {not_answered} ]; then command {name} "$@"; else return $status; fi
}}"""
"""Bash function in place of a program; the module is not asked about each start of Python."""


def answer_install(words: Sequence[str]) -> tuple[str, int] | None:
    """Return what to say and the exit status for a command; None if it installs nothing."""
    words = [word for word in words if word != "sudo"]
    if words and re.search(r"python[\d.]*$", words[0]) and words[1:2] == ["-m"]:
        words = words[2:]
    if not words or words[0].rpartition("/")[2] not in INSTALLERS:
        return None
    verb = next((at for at, word in enumerate(words) if word in _VERBS), 0)
    if not verb:
        return None
    packages = _list_packages(words[verb + 1 :])
    if words[0] not in _SYSTEM and packages and all(map(_is_installed, packages)):
        return f"Already installed: {', '.join(packages)}", 0
    return f"The sandbox has no network to install from. {_advise(words, packages)}", 1


def _list_packages(words: Sequence[str]) -> list[str]:
    # The word behind an option may be its value, such as a channel.
    found = (
        _NAME.match(word)
        for before, word in zip(("", *words), words, strict=False)
        if before not in _OPTIONS_WITH_VALUE
    )
    return [match[0] for match in found if match]


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return False
    return True


def _advise(words: Sequence[str], packages: Sequence[str]) -> str:
    if words[0] in _SYSTEM:
        return f"Outside of the sandbox: `sudo apt install {shlex.join(packages) or 'PACKAGE'}`"
    return advise_install(packages)


def advise_install(packages: Sequence[str]) -> str:
    """Return a sentence with the command that installs packages in the environment of the code."""
    names, python = shlex.join(packages) or "PACKAGE", shlex.quote(sys.executable)
    if os.path.exists(os.path.join(sys.prefix, MARKER)):
        return (
            f"The environment `{os.path.basename(sys.prefix)}` is fixed; with one of your own, "
            f"`PATH/bin/python -m pip install {names}` and then `--env PATH`"
        )
    # Not `importlib.util.find_spec`: it asks setuptools' finder too, which gives up its `distutils`
    # once someone looks for pip, and then cannot be imported any more.
    if importlib.machinery.PathFinder.find_spec("pip") is None:
        command = f"uv pip install --python {python} {names}"
    else:
        command = f"{python} -m pip install {names}"
    return f"Outside of the sandbox: `{command}`, then run the code again"


def define_functions() -> Mapping[str, str]:
    """Return variables by which bash defines functions that ask this module first."""
    python, answer = shlex.quote(sys.executable), shlex.quote(__file__)
    return {
        f"BASH_FUNC_{name}%%": _FUNCTION.format(
            python=python, answer=answer, name=name, not_answered=NOT_ANSWERED
        )
        for name in (*INSTALLERS, *_PYTHONS, "sudo")
    }


def main() -> int:
    """Answer the command in the arguments; return the exit status."""
    answer = answer_install(sys.argv[1:])
    if answer is None:
        return NOT_ANSWERED
    print(answer[0], file=sys.stderr)
    return answer[1]


if __name__ == "__main__":
    sys.exit(main())
