"""The cryptography library without the keys of OpenSSH, which nobody here has: 0.4 MB, a hundredth of a box.

Whatever starts a box imports this before anything else of it.
"""

from lancert.kit.lean import without

with without("cryptography.hazmat.primitives.serialization.ssh"):
    from cryptography.hazmat.primitives import serialization

__all__ = ["serialization"]
