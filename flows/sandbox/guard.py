"""Runs one server and stops it when its owner goes away, however that happens.

`python -I -S guard.py STOP_SIGNAL UID GID LOCK_FD COMMAND...`: the owner holds the other end of
standard input. When that closes (closed on purpose, owner exited, owner killed with -9) the server
gets STOP_SIGNAL, and SIGKILL if it is still there 20 seconds later. UID -1: do not change user.
LOCK_FD is a locked file that server and guard inherit: whoever gets that lock later knows that
neither lives, which no process number can tell (a zombie looks alive, a number is used again).

Only the standard library, and nothing of this project: it runs as a script of its own.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PATIENCE_S = (
    20  # PostgreSQL's fast shutdown writes a checkpoint first: a second or two on a slow disk
)


def main(stop_signal: int, uid: int, gid: int, lock_fd: int, command: list[str]) -> int:
    """Run the command until it ends or the owner does; returns its exit status."""
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    signal.set_wakeup_fd(wake_writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)

    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def before_exec() -> None:
        # If the guard itself is killed with -9, the kernel tells the server (Linux only).
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, stop_signal)
        # A shell's `command &` leaves SIGINT ignored, children inherit it: nothing would stop them.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    # Environment as the owner gave it; the user is changed before before_exec (a change of user
    # would clear the parent-death signal).
    server: subprocess.Popen[bytes] = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        pass_fds=(lock_fd,),
        preexec_fn=before_exec,
        start_new_session=True,
        user=None if uid < 0 else uid,
        group=None if uid < 0 else gid,
        extra_groups=None if uid < 0 else [],
    )
    while server.poll() is None:
        ready, _, _ = select.select([0, wake_reader], [], [])
        if wake_reader in ready:
            noticed = os.read(wake_reader, 512)
            if signal.SIGTERM in noticed or signal.SIGINT in noticed:
                break
        if 0 in ready:
            break
    if server.poll() is None:
        server.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(PATIENCE_S)
    # What the server started stands in its group; none of that may outlive it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, signal.SIGKILL)
    return server.wait()


if __name__ == "__main__":
    stop_signal, uid, gid, lock_fd = (int(text) for text in sys.argv[1:5])
    sys.exit(main(stop_signal, uid, gid, lock_fd, sys.argv[5:]) & 0xFF)
