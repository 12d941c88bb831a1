"""The command line: its commands, their help, and what it imports."""

import subprocess
import sys

import pytest
import typer.main

from pipeline.cli import app


def commands():
    """Return every command that does something, as the words that a user types."""
    words = []
    for name, command in typer.main.get_command(app).commands.items():
        words += [(name, verb) for verb in command.commands] if hasattr(command, "commands") else [(name,)]
    return words


def test_every_command_is_listed():
    verbs = {("schedule", verb) for verb in ("apply", "list", "pause", "resume", "delete")} | {
        ("runs", "clean"),
        ("runs", "compare"),
    }
    names = {
        (name,)
        for name in (
            "check",
            "run",
            "report",
            "predict",
            "variants",
            "compile",
            "submit",
            "doctor",
            "promote",
            "champion",
            "rollback",
            "settings",
            "init",
        )
    }
    assert set(commands()) == names | verbs


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(command, words):
    shown = command(*words, "--help")
    assert shown.code == 0
    assert f"Example: evenface {' '.join(words)}" in shown.out


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("pipeline.cli", ["tensorflow", "keras", "sklearn", "pandas", "kfp"]),
        ("pipeline.definition", ["tensorflow", "keras", "sklearn"]),
    ],
)
def test_importing_the_pipeline_imports_nothing_heavy(module, absent):
    code = f"import sys, {module}; print([name for name in {absent} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
