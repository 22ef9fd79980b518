"""Reads: which part of a bank reaches the backbone, and how. One file each. One signature per site."""

from lmem.memory.read.base import Read
from lmem.memory.read.branch import BranchRead
from lmem.memory.read.copying import CopyingRead
from lmem.memory.read.extension import ExtensionRead
from lmem.memory.read.gated_branch import GatedBranchRead
from lmem.memory.read.prefix import PrefixRead
from lmem.memory.read.proxy import ProxyBranchRead, ProxyGatedBranchRead
from lmem.memory.read.query import QueryRead
from lmem.memory.read.recall import RecallRead

READS: dict[str, type[Read]] = {
    "prefix": PrefixRead,
    "extension": ExtensionRead,
    "branch": BranchRead,
    "gated_branch": GatedBranchRead,
    "query": QueryRead,
    "recall": RecallRead,
    "copying": CopyingRead,
    "proxy_branch": ProxyBranchRead,
    "proxy_gated_branch": ProxyGatedBranchRead,
}
