"""What this process may use at most (ulimit), held against what Keras and a notebook need.

Reads the limits of the process; changes none.
"""

import resource

# Option of ulimit -> limit, what it counts, how much is needed, and in what unit ulimit takes it.
# Of addresses, the smallest training under TensorFlow on two cores takes 3.3 GB.
NEEDED = {
    "-n": ("RLIMIT_NOFILE", "open files", 256, 1),
    "-v": ("RLIMIT_AS", "bytes of addresses", 4 * 1024**3, 1024),
    "-d": ("RLIMIT_DATA", "bytes of data", 4 * 1024**3, 1024),
}


def check() -> None:
    """Refuse to begin where a limit ends everything later, in a library's words.

    Raises:
        ValueError: a limit is too low; the message names the command that raises it.
    """
    for option, (name, what, needed, unit) in NEEDED.items():
        allowed, _ = resource.getrlimit(getattr(resource, name))
        if allowed != resource.RLIM_INFINITY and allowed < needed:
            raise ValueError(
                f"Expected at least {needed:,} {what}. Received: a limit of {allowed:,}. Raise it "
                f"with ulimit {option} {needed // unit}, or ask whoever set it."
            )
