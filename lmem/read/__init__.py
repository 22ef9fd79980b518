"""Reads: what of a bank reaches the backbone, and how. One file each; the site decides the signature."""

from lmem.read.branch import BranchRead
from lmem.read.extension import ExtensionRead
from lmem.read.prefix import PrefixRead

READS = {"prefix": PrefixRead, "extension": ExtensionRead, "branch": BranchRead}
