"""Where an attempt's process begins: hands over to as_python.py.

    python -u child.py REPORT (--script PATH | --module NAME) [ARGUMENT ...]

REPORT is a file that takes two lines: the peak of memory in bytes, where only the process itself
knows it, and the uncaught exception's, if there is one.  Run by the routine's own interpreter, of
any version from 3.8, without the rest of the package.

It is short because Python compiles the file it is asked to run anew each time; of what is loaded
as below it keeps the compiled form.
"""

import os
from _frozen_importlib_external import SourceFileLoader

loader = SourceFileLoader(
    "scheduler.service.executors.as_python",
    os.path.join(os.path.dirname(__file__), "as_python.py"),
)
as_python = type(os)(loader.name)
loader.exec_module(as_python)
as_python.main()
