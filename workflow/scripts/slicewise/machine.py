"""Errors of the machine in words: disks that are full, gone or not to be written."""

from __future__ import annotations

import errno

MENDS = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "your share of the disk is used up: make room, or ask for more",
    errno.EROFS: "the disk can only be read: make it writable, or take another for `results`",
    errno.EACCES: "permission is missing: change that of the file or of its folder",
    errno.EPERM: "permission is missing: change that of the file or of its folder",
    errno.ENOENT: "it is not there: bring back what was removed since the run began, or its disk",
    errno.ESTALE: "its disk went away since the run began: mount it again",
    errno.ENOTCONN: "its disk went away since the run began: mount it again",
    errno.EIO: "the disk cannot be read or written: see whether it is full, or broken",
    errno.EMFILE: "too many files are open: raise the limit of `ulimit -n`",
}
"""What to do about errors of the machine."""


def about_the_machine(error: OSError) -> str:
    """Return in a sentence which file could not be read or written, why, and how to go on."""
    mend = MENDS.get(error.errno)
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return f"{what}; {mend}, then start the run again" if mend else what
