"""Losses, noises and methods as a command line writes them: like calls, "ANL-CE(alpha=5)"."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Sequence
from typing import Any

from segnoise.errors import ConfigError

_CALL = re.compile(r"\s*([\w.+-]+)\s*(\(.*\))?\s*", re.DOTALL)
_EXAMPLES = {
    "noise model": 'SymmetricFlip, "SymmetricFlip(rate=0.1)", my_noises.Smear or a preset, such as '
    "coco-n-easy",
    "loss": 'CE, "ANL-CE(alpha=5)", or my_losses.Mine',
    "method": 'ObjectTeacher, "MeanTeacher(momentum=0.99)", or my_methods.Mine',
}
LONGEST = 120  # bytes of a folder's name


def part(text: str, kind: str) -> dict[str, Any]:
    """Return the config that a call with literal keyword arguments stands for.

    Example:
        >>> part("BoundaryErosion", "noise model")
        {'type': 'BoundaryErosion'}
        >>> part("NCE+AGCE(a=6, class_weights='inverse_sqrt')", "loss")
        {'type': 'NCE+AGCE', 'a': 6, 'class_weights': 'inverse_sqrt'}
        >>> part("Compose(noises=[HullMask, Shift(distance=2)])", "noise model")
        {'type': 'Compose', 'noises': [{'type': 'HullMask'}, {'type': 'Shift', 'distance': 2}]}
    """
    call = _CALL.fullmatch(text)
    parameters = None
    if call and not call[1].startswith((".", "-", "+")):
        try:
            node = ast.parse(f"_{call[2] or '()'}", mode="eval").body
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
                parameters = dict(map(_parameter, node.keywords))
        except ConfigError as error:
            raise ConfigError(f"{text!r} is no {kind}: {error}") from None
        except (SyntaxError, ValueError):
            parameters = None
    if call is None or parameters is None or "type" in parameters:
        raise ConfigError(f"{text!r} is no {kind}: write it like {_EXAMPLES[kind]}")
    return {"type": call[1], **parameters}


def noise(text: str) -> dict[str, Any] | None:
    """Return a noise's config; None for clean labels.

    Example:
        >>> noise("coco-n-easy(class_flip=0.1)"), noise("none")
        ({'type': 'coco-n-easy', 'class_flip': 0.1}, None)
    """
    return None if text.strip().lower() in ("none", "clean") else part(text, "noise model")


def title(first: str, texts: Sequence[str]) -> str:
    """Return a name for a folder that tells what a command line names; long ones end in a hash.

    Example:
        >>> title("unet", ["GCE(q=0.7)", "none"])
        'unet_GCE_q=0.7_none'
    """
    found = "_".join([first, *(re.sub(r"[^\w.+=-]+", "_", text).strip("_") for text in texts)])
    return shortened(found) if texts else found


def shortened(name: str) -> str:
    """Return a name that a folder can have: a long one is cut, and ends in its hash.

    Example:
        >>> shortened("GCE_q=0.7"), len(shortened("x" * 300))
        ('GCE_q=0.7', 129)
    """
    content = name.encode()
    if len(content) <= LONGEST:
        return name
    return f"{content[:LONGEST].decode(errors='ignore')}_{hashlib.sha256(content).hexdigest()[:8]}"


def _node(node: ast.expr) -> Any:
    if (name := _dotted(node)) is not None:
        return {"type": name}
    if isinstance(node, ast.Call) and (name := _dotted(node.func)) and not node.args:
        return {"type": name, **dict(map(_parameter, node.keywords))}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_node(item) for item in node.elts]
    if isinstance(node, ast.Dict) and all(node.keys):
        pairs = zip(node.keys, node.values, strict=True)
        return {ast.literal_eval(key): _node(value) for key, value in pairs if key}
    return ast.literal_eval(node)


def _dotted(node: ast.expr) -> str | None:
    """The name that an expression is, such as "my_noises.Smear"; None where it is none."""
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return None if inner is None else f"{inner}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else None


def _parameter(word: ast.keyword) -> tuple[str, Any]:
    if word.arg is None:
        raise ConfigError(f"write out the parameters that **{ast.unparse(word.value)} stands for")
    try:
        variable = isinstance(word.value, ast.Name) and not word.value.id[:1].isupper()
        return word.arg, ast.literal_eval(word.value) if variable else _node(word.value)
    except ConfigError:
        raise
    except ValueError:
        value = ast.unparse(word.value)
        raise ConfigError(f"the value of {word.arg}, {value}, is no literal") from None
