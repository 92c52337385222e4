"""YAML as a recipe needs it: each key once and a text, and no more values than are written."""

from typing import Any

import yaml

_LARGEST = 1_000_000
"""Most values, with those that an alias repeats."""


class _Loader(yaml.SafeLoader):
    """Refuses what PyYAML takes in silence: of keys that are given twice it keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a table whose keys are texts, each given once."""
        seen: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = key.value
            if key.tag != "tag:yaml.org,2002:str":
                raise ValueError(f"line {line}: expected a text as a key, got {str(name)[:40]!r}")
            if name in seen:
                raise ValueError(f"line {line}: the key {name[:40]!r} is given twice")
            seen.add(name)
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:
    """Return the content of a YAML text."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {}, set())
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _size(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """Return how many values a node has, each alias counted as often as it stands."""
    if id(node) in above:
        raise ValueError("an alias contains itself")
    if id(node) not in known:
        total = 1
        if isinstance(node, yaml.CollectionNode):
            above.add(id(node))
            for one in node.value:
                parts = one if isinstance(one, tuple) else (one,)
                total += sum(_size(part, known, above) for part in parts)
            above.discard(id(node))
        if total > _LARGEST:
            raise ValueError(f"expected at most {_LARGEST} values, got aliases that repeat more")
        known[id(node)] = total
    return known[id(node)]
