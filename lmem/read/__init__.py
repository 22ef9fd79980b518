"""Reads: what of a bank reaches the backbone, and how. One file each, all with the same signature."""

from lmem.read.branch import BranchRead
from lmem.read.extension import ExtensionRead
from lmem.read.gated_branch import GatedBranchRead
from lmem.read.prefix import PrefixRead
from lmem.read.proxy import ProxyBranchRead, ProxyGatedBranchRead
from lmem.read.query import QueryRead
from lmem.read.recall import RecallRead

READS = {
    "prefix": PrefixRead,
    "extension": ExtensionRead,
    "branch": BranchRead,
    "gated_branch": GatedBranchRead,
    "query": QueryRead,
    "recall": RecallRead,
    "proxy_branch": ProxyBranchRead,
    "proxy_gated_branch": ProxyGatedBranchRead,
}
