"""RFC 6962, section 2.1, word by word: recursive, slow, and sharing no function with the product."""

from hashlib import sha256


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH(D[n])."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = largest_power_below(len(leaves))
    return sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


def largest_power_below(count: int) -> int:
    """The largest power of two smaller than `count`."""
    power = 1
    while power * 2 < count:
        power = power * 2
    return power


def audit_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    split = largest_power_below(len(leaves))
    if index < split:
        return [*audit_path(index, leaves[:split]), tree_hash(leaves[split:])]
    return [*audit_path(index - split, leaves[split:]), tree_hash(leaves[:split])]


def consistency(old: int, leaves: list[bytes]) -> list[bytes]:
    """PROOF(m, D[n])."""
    return subproof(old, leaves, known=True)


def subproof(old: int, leaves: list[bytes], known: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b)."""
    if old == len(leaves):
        return [] if known else [tree_hash(leaves)]
    split = largest_power_below(len(leaves))
    if old <= split:
        return [*subproof(old, leaves[:split], known), tree_hash(leaves[split:])]
    return [*subproof(old - split, leaves[split:], False), tree_hash(leaves[:split])]
