"""`starchat doctor`: print what works on this machine and how to fix the rest."""

from __future__ import annotations

from collections.abc import Sequence

from starchat_tui.cli import arguments, doctor
from starchat_tui.cli.invocation import Invocation
from starchat_tui.cli.stdout import print_json


def run_doctor(argv: Sequence[str]) -> int:
    """Run all checks; the exit code is 1 if something has to be fixed."""
    parser = arguments.create_subcommand_parser("doctor")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments.add_model_flags(parser)
    arguments.add_engine_flags(parser)
    arguments.add_sandbox_flag(parser)
    invocation = Invocation.from_flags(parser.parse_args(argv))
    findings = doctor.run_checks(invocation.settings, invocation.paths, invocation.environ)
    if invocation.flags.json:
        print_json(doctor.format_json(findings))
    else:
        doctor.print_findings(findings, color=invocation.uses_color)
    return 0 if doctor.is_healthy(findings) else 1
