"""Who signs. The embedded authority: an own root and issuing key that can speak for one zone and nothing else.

``create_authority`` makes one in a folder, ``open_authority`` opens it, its ``plan`` says what will be signed, to be
recorded, and its ``sign`` signs exactly that.
"""

from lancert.service.authority.compare import SignedSomethingElse, WouldSignSomethingElse
from lancert.service.authority.creation import AUTHORITY_FOLDER, AuthorityExists, authority_exists, create_authority
from lancert.service.authority.crl import RevocationReason, Revoked
from lancert.service.authority.embedded import (
    EmbeddedAuthority,
    open_authority,
    read_issuing,
    read_root,
    root_key_is_here,
)
from lancert.service.authority.keys import AuthorityUnusable
from lancert.service.authority.profile import LEAF_LIFE, LeafPlan, NotPlannable

__all__ = [
    "AUTHORITY_FOLDER",
    "LEAF_LIFE",
    "AuthorityExists",
    "AuthorityUnusable",
    "EmbeddedAuthority",
    "LeafPlan",
    "NotPlannable",
    "RevocationReason",
    "Revoked",
    "SignedSomethingElse",
    "WouldSignSomethingElse",
    "authority_exists",
    "create_authority",
    "open_authority",
    "read_issuing",
    "read_root",
    "root_key_is_here",
]
