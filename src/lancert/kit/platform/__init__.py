"""What differs between operating systems, behind one interface: ``system`` is the one of this machine.

``posix`` and ``windows`` define the same names; each says what it does and what its system cannot do. Nothing outside
this folder asks which system it runs on, so a new difference has one place. Chosen once, when it is imported.
"""

import sys

if sys.platform == "win32":
    from lancert.kit.platform import windows as system
else:
    from lancert.kit.platform import posix as system

__all__ = ["system"]
