"""How long statements, locks and transactions of the ledger's database may take.

The server enforces the limits, so that a process that is stopped, suspended or cut off in the
middle of a transaction holds others up for seconds, and not until somebody finds it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """All in seconds; 0 is no limit. ``connections`` is how many a process opens at most.

    ``connect`` bounds making a connection and waiting for one of the pool. ``idle`` is how long an
    open transaction may lie between two statements, and ``lock`` how long another's lock is waited
    for: longer than ``idle``, so that those who wait for a process that has stopped get the lock
    once the server has ended its transaction. ``statement`` bounds a statement with its waiting,
    and ``answer`` is when the client gives up on a server that does not answer at all.
    """

    connect: float = 5.0
    idle: float = 5.0
    lock: float = 7.0
    statement: float = 8.0
    answer: float = 9.0
    connections: int = 8

    def server_settings(self) -> dict[str, str]:
        """PostgreSQL's settings of a session with these limits.

        Keepalive finds a peer that is gone without a word within about 25 seconds.
        """
        return {
            "idle_in_transaction_session_timeout": _milliseconds(self.idle),
            "lock_timeout": _milliseconds(self.lock),
            "statement_timeout": _milliseconds(self.statement),
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        }


#: Of requests: what does not end in seconds is refused, and can be repeated.
ORDINARY = Limits()
#: Of migrations, verification and whole histories: as long as they take. An upgrade waits for
#: another one for ten minutes.
MAINTENANCE = Limits(idle=0, lock=600.0, statement=0, answer=0, connections=2)


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
