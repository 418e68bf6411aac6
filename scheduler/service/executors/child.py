"""Where an attempt's process begins: hands over to supervisor.py, and then to as_python.py.

    python -u child.py RECORD (--script PATH | --module NAME) [ARGUMENT ...]
    python -u child.py --warm CHANNEL DOOR [MODULE ...]

RECORD is the file that tells which processes the attempt has, and how it ended (ADR 21).  With
``--warm`` the process is kept, and forks for each attempt (ADR 23, warm_server.py).  Run by the
routine's own interpreter, of any version from 3.8, without the rest of the package.

It is short because Python compiles the file it is asked to run anew each time; of what is loaded
as below it keeps the compiled form.
"""

import os
import sys
from _frozen_importlib_external import SourceFileLoader

TYPE_CHECKING = False  # as typing has it, which would have to be imported
if TYPE_CHECKING:
    from types import ModuleType


def load(name: str) -> "ModuleType":
    """Return one of the modules beside this file."""
    loader = SourceFileLoader(
        "scheduler.service.executors." + name,
        os.path.join(os.path.dirname(__file__), name + ".py"),
    )
    module = type(os)(loader.name)
    loader.exec_module(module)
    return module


at_start = frozenset(sys.modules)
supervisor = load("supervisor")
as_python = load("as_python")
if sys.argv[1] == "--warm":
    warm_server = load("warm_server")
    as_python.main(supervisor, *warm_server.serve(supervisor, load("warm_fork"), at_start))
else:
    supervisor.begin(sys.argv[1])
    as_python.main(supervisor, sys.argv[1:])
