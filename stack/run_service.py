"""Becoming a part: supervisor starts this, so that its own file needs no secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

from .environment import environment
from .instance import Instance
from .services import BY_NAME


def become(name: str, folder: Path) -> NoReturn:
    """Replace this process by the part ``name`` of the stack in ``folder``."""
    instance, part = Instance.load(folder), BY_NAME[name]
    command, around = part.command(instance), environment(part.settings(instance))
    if part.user is not None and os.geteuid() == 0:
        import pwd

        owner = pwd.getpwnam(part.user)
        os.chdir("/")
        os.setgroups([])
        os.setgid(owner.pw_gid)
        os.setuid(owner.pw_uid)
        around = {name: value for name, value in around.items() if name != "HOME"}
    os.execve(command[0], command, around)  # noqa: S606 - no shell is what is wanted
