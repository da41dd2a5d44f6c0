"""YAML of recipes, read with bounds: people write them by hand, so they are short."""

from typing import Any

from stylegan_jax.errors import InputError, shown
from stylegan_jax.storage.schema import quoted

LARGEST = 1 << 20  # bytes
_MOST_NODES, _LONGEST = 10_000, 10_000  # entries, and characters of one


def parse(data: bytes, file: object, *, most: int = _MOST_NODES) -> Any:
    """The data of a YAML text; InputError, naming the file, for what is none or unfolds to more than its own text.

    Args:
      data: the text.
      file: how messages name it.
      most: entries that it may have.

    Aliases are one thing used again; merged tables, which would be copied each time, are refused.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        count = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.count += 1
            if self.count > most:
                raise ValueError(f"more than {most} entries")
            node = super().compose_node(parent, index)
            if isinstance(node, yaml.ScalarNode) and len(node.value) > _LONGEST:
                raise ValueError(f"an entry of {len(node.value)} characters")
            return node

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)
            except (LookupError, AttributeError) as error:  # what PyYAML makes of `!!bool x` and `!!int ""`
                raise ValueError(f"{quoted(node.value)} is no {node.tag.rpartition(':')[2]}") from error

        def flatten_mapping(self, node: Any) -> None:
            if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
                raise ValueError("it merges tables by <<")

    try:
        return yaml.load(data.decode(), Loader)
    except (ValueError, yaml.YAMLError, RecursionError, TypeError, OverflowError) as error:
        reason = shown(" ".join(str(error)[:2000].split()), 150)
        remedy = "pass a YAML recipe, or an output of interp.blend"
        raise InputError(f"is no recipe ({reason})", remedy, file=file) from None
