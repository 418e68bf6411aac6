"""The supervisor of an attempt: watches over its script and writes down how it ended.

What child.py becomes.  It forks: one is to run the script, in a session of its own, and waits for
the other's word; that one puts the attempt on record, gives its word, waits for the end and adds it
to the record, whether the scheduler is still there or not.  Nothing else begins an attempt, so what
is not on record has not run one line.

Runs in the routine's own interpreter, of any version from 3.8: the standard library only, nothing
from the package, no syntax newer than that, and as few imports as possible, for every task pays
for them.  Where there is no fork, as on Windows, the script's process keeps the record itself.
"""

import os
import sys
import time

TYPE_CHECKING = False  # as typing has it, which would have to be imported
if TYPE_CHECKING:
    from typing import NoReturn

#: The folder in which records are drafted: whoever takes it away lets no attempt begin any more.
DOOR = "door"
#: What a record says of an attempt whose supervisor is a warm interpreter.
WARM = "warm"
#: Seconds within which a process leads its session, unless somebody has stopped or killed it.
SESSION_PATIENCE = 5.0
#: Exit codes of an attempt that has not begun.
SHUT_OUT = 75
NOT_RECORDED = 74
NO_PROCESS = 71


def begin(record: str) -> None:
    """Have the attempt begin, on record; return in the process that is to run the script.

    Where it may not begin, because a later scheduler has shut the door, the process ends here.
    """
    if not hasattr(os, "fork"):
        enter(record, os.getpid(), os.getpid())
        record_end_at_exit(record)
        return
    supervisor, scheduler = os.getpid(), os.getppid()
    try:
        word, word_given = os.pipe()
        script = os.fork()
    except OSError as error:
        not_begun(NO_PROCESS, "the system has no process left for it: %s" % error)
    if script:
        os.close(word)
        await_session(script)
        enter(record, script, supervisor)
        give_word(word_given)
        watch(script, record, scheduler)
    os.close(word_given)
    os.setsid()
    # Nothing comes from a supervisor that was killed before it had put the attempt on record.
    if not os.read(word, 1):
        os._exit(SHUT_OUT)
    os.close(word)


def await_session(script: int) -> None:
    """Wait until the process leads its session: whatever is on record is known and killed by that.

    It is about to, so this takes no time but on a machine that is very busy.
    """
    give_way = getattr(os, "sched_yield", lambda: time.sleep(0))
    deadline = time.monotonic() + SESSION_PATIENCE
    try:
        while os.getsid(script) != script and time.monotonic() < deadline:
            give_way()
    except OSError:
        pass  # it has been killed


def give_word(pipe: int) -> None:
    """Let the script begin."""
    try:
        os.write(pipe, b".")
    except OSError:
        pass  # somebody has killed it already
    os.close(pipe)


def enter(record: str, script: int, supervisor: int) -> None:
    """Write down which processes the attempt has, or end here."""
    begin_record(record, DOOR, script, supervisor)


def enter_fork(record: str, door: str, supervisor: int, start: str) -> None:
    """Put a fork of a warm interpreter on record, or end it here.

    ``supervisor`` is the warm interpreter, which started at ``start``.
    """
    begin_record(record, door, os.getpid(), supervisor, start + " " + WARM)


def begin_record(
    record: str,
    door: str,
    script: int,
    supervisor: int,
    supervisors_start: "str | None" = None,
) -> None:
    """Write the first line of a record, or end here.

    ``supervisors_start``: when it started, and its mark, if that is known.
    """
    draft = os.path.join(os.path.dirname(record), door, os.path.basename(record))
    try:
        start = start_of(script)
        line = record_line(script, start, supervisor, supervisors_start or start_of(supervisor))
        # Whole, in one stroke, and only as long as the door is open.
        write(draft, line, os.O_CREAT | os.O_EXCL)
        os.rename(draft, record)
    except FileNotFoundError:
        os._exit(SHUT_OUT)
    except OSError as error:
        not_begun(NOT_RECORDED, "its record could not be written: %s" % error)


def record_line(*words: object) -> str:
    """Return the first line of a record: pid and start of the script, and of its supervisor."""
    return "begun %s\n" % " ".join(map(str, words))


def not_begun(code: int, why: str) -> "NoReturn":
    """Say in the log why the attempt does not begin, and end."""
    try:
        text = "this attempt could not begin: %s\n" % why
        os.write(2, text.encode(errors="backslashreplace"))
    except OSError:
        pass  # the log lies on the same full disk, say
    os._exit(code)


def watch(script: int, record: str, scheduler: int) -> None:
    """Wait for the end of the script, and write it down; does not return."""
    step_aside()
    _, status, usage = os.wait4(script, 0)
    ended_at = time.time()
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cpu = usage.ru_utime + usage.ru_stime
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        kind, code = "signal", 128 + number
    else:
        number = code = os.WEXITSTATUS(status)
        kind = "code"
    # A scheduler that is there has it in its database at once; else this is all there is.
    is_durable = os.getppid() != scheduler
    add_end(record, ended_at, kind, number, peak, cpu, is_durable=is_durable)
    os._exit(code)


def add_end(
    record: str, at: float, kind: str, number: int, peak: int, cpu: float, is_durable: bool = False
) -> None:
    """Write down how the script ended: ``kind`` is code or signal, ``number`` which."""
    try:
        line = "ended %.6f %s %d %d %.6f\n" % (at, kind, number, peak, cpu)
        write(record, line, os.O_APPEND, is_durable=is_durable)
    except OSError:
        pass  # not begun, or a full disk: a scheduler that is there has the exit code still


def step_aside() -> None:
    """Hold on to nothing of the script's, and heed nothing that is meant for it."""
    # What the module signal is made of: that itself takes long to import.
    _signal = __import__("_signal")
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"):
        _signal.signal(getattr(_signal, name), _signal.SIG_IGN)
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        if null > 2:
            os.close(null)
        os.chdir("/")
    except OSError:
        pass  # it merely keeps a log open, or a file system busy


def write(path: str, line: str, flags: int, is_durable: bool = False) -> None:
    """Write a line to a file in one stroke."""
    descriptor = os.open(path, os.O_WRONLY | flags | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        data = line.encode("utf-8", "backslashreplace")
        if os.write(descriptor, data) < len(data):
            raise OSError("no space left for all of it")
        if is_durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def start_of(pid: int) -> str:
    """Return when a process started: what tells it from a later one of its pid.

    On Linux in ticks since the machine booted, as the kernel keeps it; elsewhere about now, in
    seconds since the epoch.

    Raises:
        OSError: it cannot be read, though it may well be there.
    """
    try:
        # Not as a file object: that is not made for files of this kind, and takes its time.
        descriptor = os.open("/proc/%d/stat" % pid, os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
        # The name of the program, in brackets, may hold anything.
        return text.rpartition(b")")[2].split()[19].decode()
    except (AttributeError, FileNotFoundError, ProcessLookupError, IndexError):
        return "~%.3f" % time.time()


def add_error(record: str, line: str) -> None:
    """Write down the last line of the exception that ended the script."""
    try:
        write(record, "error %s\n" % " ".join(line.split("\n")), os.O_APPEND)
    except OSError:
        # The script may have left its user or its root folder; its own failure must be seen still.
        pass


#: Where nobody else can write down the end: the exit code as far as it is known.
CODE = [0]


def record_end_at_exit(record: str) -> None:
    """Write the end down as the last thing before the process is gone, if it ends in order."""
    import atexit

    # Registered first, it is called last: after the script's own, and the end of its threads.
    atexit.register(lambda: write_own_end(record))


def write_own_end(record: str) -> None:
    """Write down how this very process ends."""
    cost = "0 %.6f" % sum(os.times()[:2])
    try:
        write(record, "ended %.6f code %d %s\n" % (time.time(), CODE[0], cost), os.O_APPEND)
    except OSError:
        pass  # an end that is not on record is not known
