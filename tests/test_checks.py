"""The checks before a commit are those of `make test`, and CI runs `make test`."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def commands_of_make(makefile: str) -> list[str]:
    """Return the commands of the target `test`, without pytest, as they are typed from the root of the checkout."""
    _, _, rest = makefile.partition("\ntest: install\n")
    recipe = rest.partition("\n\n")[0].splitlines()
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe]
    return [command for command in commands if "pytest" not in command]


def commands_of_hooks(configuration: str) -> list[str]:
    hooks = [hook for repo in yaml.safe_load(configuration)["repos"] for hook in repo["hooks"]]
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in hooks)
    return [hook["entry"] for hook in hooks]


def test_pre_commit_runs_what_make_test_runs_before_pytest() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    hooks = commands_of_hooks((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert commands_of_make(makefile) == hooks
    assert ".venv/bin/mypy" in hooks


def test_a_check_that_is_added_to_make_alone_is_seen() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    longer = makefile.replace("\t$(BIN)/mypy\n", "\t$(BIN)/mypy\n\t$(BIN)/vulture\n")
    assert ".venv/bin/vulture" in commands_of_make(longer)
