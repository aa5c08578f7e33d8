"""What Blue's table says of each host: CybORG's words, their codes, and the bits by which a policy is shown them.

    activity    None 00   Scan 10      Exploit 11                    of the last step only
    condition   No 00     Unknown 10   User 01      Privileged 11    kept until something changes it

A condition is how far Blue takes a host for compromised; CybORG heads that column so.
"""

from __future__ import annotations

ACTIVITIES = ("None", "Scan", "Exploit")
NONE, SCAN, EXPLOIT = range(3)
"""Places in `ACTIVITIES`."""
ACTIVITY_BITS = ((0, 0), (1, 0), (1, 1))
"""Of each activity; the first two of a host's four."""

CONDITIONS = ("No", "Unknown", "User", "Privileged")
NO, UNKNOWN, USER, PRIVILEGED = range(4)
"""Places in `CONDITIONS`."""
CONDITION_BITS = ((0, 0), (1, 0), (0, 1), (1, 1))
"""Of each condition; the other two."""
