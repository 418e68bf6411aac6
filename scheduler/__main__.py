"""``python -m scheduler VERB``, and what ``scheduler.py`` runs in a checkout."""

import sys

_MISTAKE = 2


def run() -> None:
    """Run the command line and leave with its exit code.

    A checkout whose dependencies are not installed says so in one line.
    """
    # Around the whole run: most verbs import what they need only then.
    try:
        from scheduler.cli.main import main

        code = main()
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.split(".")[0] == "scheduler":
            raise
        sys.stderr.write(
            f"scheduler: the package {missing.name!r} is not installed: run"
            f" '{sys.executable} -m pip install .' in the checkout\n"
        )
        code = _MISTAKE
    sys.exit(code)


if __name__ == "__main__":
    run()
