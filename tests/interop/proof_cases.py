"""RFC 6962 proofs, true ones and spoiled ones, for verifiers of others to judge."""

import base64

from chain_anchor import merkle
from chain_anchor.errors import ProofError
from tests.interop.sites import Tree


class Case(dict):
    """A proof as the programs read it: inclusion if it has a leaf, else consistency."""

    @classmethod
    def inclusion(cls, index, size, leaf, root, path):
        return cls(index=index, size=size, leaf=leaf, root=root, path=path)

    @classmethod
    def consistency(cls, old_size, size, old_root, root, path):
        return cls(
            old_size=old_size, size=size, old_root=old_root, root=root, path=path
        )

    def with_(self, **fields):
        """The same, but for some fields."""
        return Case(self, **fields)

    def judged_by_us(self):
        """Why we refuse it; empty if we do not."""
        try:
            if "leaf" in self:
                merkle.verify_inclusion(**self)
            else:
                merkle.verify_consistency(
                    self["old_size"],
                    self["size"],
                    self["old_root"],
                    self["root"],
                    self["path"],
                )
        except ProofError as problem:
            return str(problem)
        return ""

    def encode(self):
        """Write it as JSON has it: all fields, octets in base64."""
        defaults = {"index": 0, "leaf": None, "old_size": 0, "old_root": None}
        return {key: _as_json(value) for key, value in {**defaults, **self}.items()}


def _as_json(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return [_as_json(one) for one in value] if isinstance(value, list) else value


def proofs_of(size, read, indexes, old_sizes):
    """Proofs that we make of one tree."""
    root = merkle.root_of(size, read)
    for index in indexes:
        path = merkle.inclusion_path(index, size, read)
        yield Case.inclusion(index, size, read(0, index), root, path)
    for old_size in old_sizes:
        path = merkle.consistency_path(old_size, size, read)
        old_root = merkle.root_of(old_size, read)
        yield Case.consistency(old_size, size, old_root, root, path)


def all_proofs(largest):
    """Every proof of every tree up to a size; from the empty tree none is needed."""
    tree = Tree([b"entry %d" % number for number in range(largest)])
    for size in range(1, largest + 1):
        yield from proofs_of(size, tree.read, range(size), range(1, size + 1))


def alike(level, _index):
    """Hash of a subtree of a tree whose leaves are all the same: of any size."""
    found = merkle.leaf_hash(b"")
    for _ in range(level):
        found = merkle.node_hash(found, found)
    return found


def spoiled(case, other):
    """What is wrong with a proof in one place."""
    path = case["path"]
    for name in ("root", "leaf", "old_root"):
        if name in case:
            yield case.with_(**{name: other})
    yield case.with_(path=[*path, other])
    yield case.with_(path=[other, *path])
    for place in range(len(path)):
        yield case.with_(path=path[:place] + path[place + 1 :])
        yield case.with_(path=[*path[:place], other, *path[place + 1 :]])


def moved_by_one(case):
    """The same path for the neighbours of its places and sizes."""
    for name, smallest in (("index", 0), ("old_size", 1), ("size", 1)):
        for step in (-1, 1):
            if name in case and case[name] + step >= smallest:
                yield case.with_(**{name: case[name] + step})
