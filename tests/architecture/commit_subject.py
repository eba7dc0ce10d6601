"""Check a commit message's subject: a commit-msg hook, and a check of a range in ``make check``.

usage: commit_subject.py FILE | --range BASE..HEAD
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

MAX_LENGTH = 72
#: First words that are no imperative: past tense, third person, gerund, or an article.
_NOT_IMPERATIVE = re.compile(
    r"(?:The|A|An|It|This|These|Of|What|Who|Whoever|How|There|[A-Z][a-z]+(?:ed|ing)|Adds|Fixes|Makes)"
)
#: Imperatives that look like another form.
_IMPERATIVES = {"Embed", "Feed", "Need", "Seed", "Shed", "Speed", "Bring", "String"}


def problems(subject: str) -> list[str]:
    """The reasons why a subject is refused; empty for a good one."""
    result = []
    if not subject.strip():
        return ["the subject is empty"]
    if subject.startswith(("Merge ", "Revert ", "fixup! ", "squash! ")):
        return []
    if len(subject) > MAX_LENGTH:
        result.append(f"it has {len(subject)} characters; at most {MAX_LENGTH} are allowed")
    if subject.endswith("."):
        result.append("it ends with a full stop")
    first = subject.split()[0]
    if not first[0].isupper():
        result.append("it does not begin with a capital letter")
    if first not in _IMPERATIVES and _NOT_IMPERATIVE.fullmatch(first):
        result.append(f"{first!r} is no imperative verb: write 'Add …', 'Fix …', 'Move …'")
    return result


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--range"]:
        log = ["git", "log", "--no-merges", "--format=%s", arguments[1]]
        subjects = subprocess.run(log, capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )
        subjects = [subject for subject in subjects if subject]
    else:
        subjects = [Path(arguments[0]).read_text(encoding="utf-8").partition("\n")[0]]
    refused = {subject: reasons for subject in subjects if (reasons := problems(subject))}
    for subject, reasons in refused.items():
        print(f"commit subject {subject!r}: {'; '.join(reasons)}", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
