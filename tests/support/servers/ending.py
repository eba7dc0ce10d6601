"""Servers end with the program that started them, also when it is asked to end."""

from __future__ import annotations

import signal
import threading


def stop_on_signal() -> None:
    """From now on SIGTERM is to this process what Ctrl-C is: its ``with`` blocks stop their
    servers, and pytest ends, which takes a SystemExit for the failure of one test.

    Nothing changes where the program has a handler of its own, or outside its main thread.
    """
    here = threading.current_thread() is threading.main_thread()
    if here and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
