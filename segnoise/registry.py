"""Things that a config names: looked up by name, by dotted path, or as what they are."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar, overload

from segnoise.checks import KindError
from segnoise.errors import ConfigError
from segnoise.naming import near

T = TypeVar("T", bound=Callable[..., Any])


class Registry(MutableMapping[str, Any]):
    """What there is of one kind, by name: a dict that can be added to, with one way to look up.

    Args:
        kind: what the entries are, for messages: "noise", "loss", ...
        entries: name -> class or function.
        also: more names for messages, which :meth:`find` does not find.

    Example:
        >>> NOISES = Registry("noise")
        >>> @NOISES.register
        ... def blank(mask, rng):
        ...     return 0 * mask
        >>> NOISES.find("blank") is blank
        True
        >>> NOISES.find("blink", where="noise")
        Traceback (most recent call last):
        segnoise.errors.ConfigError: noise.type: no noise called 'blink'; did you mean blank?
        >>> NOISES.find("collections.OrderedDict").__name__
        'OrderedDict'
    """

    def __init__(
        self, kind: str, entries: Mapping[str, Any] | None = None, also: Iterable[str] = ()
    ) -> None:
        self.kind = kind
        self._entries = dict(entries or {})
        self._also = also
        self._others: list[Mapping[str, Any]] = []

    def __getitem__(self, name: str) -> Any:
        return self._entries[name]

    def __setitem__(self, name: str, thing: Any) -> None:
        self._entries[name] = thing

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Registry({self.kind!r}: {', '.join(self)})"

    def extend(self, others: Mapping[str, Any]) -> None:
        """Look into another table, such as one of mmengine's, for what is not here."""
        self._others.append(others)

    @overload
    def register(self, thing: T) -> T: ...
    @overload
    def register(self, *, name: str) -> Callable[[T], T]: ...
    def register(self, thing: Any = None, *, name: str | None = None) -> Any:
        """Add a class or a function under its name, or another (a decorator).

        A definition that is executed again, as in a notebook, replaces the one before.

        Raises:
            ConfigError: if something else has that name, or a name holds a dot.
        """
        if thing is None:
            return lambda it: self._add(it, name or it.__name__)
        return self._add(thing, name or thing.__name__)

    def _add(self, thing: T, name: str) -> T:
        if "." in name or not name:
            raise ConfigError(f"{name!r} cannot name a {self.kind}: dots are for modules")
        if name in self and path_of(self[name]) != path_of(thing):
            raise ConfigError(f"there is a {self.kind} {name} already: choose another name")
        self._entries[name] = thing
        return thing

    def find(
        self, name: object, where: str = "", modules: Collection[str] | None = None
    ) -> Callable[..., Any]:
        """Return what a config's ``type`` names.

        Args:
            name: a name, a dotted path, or a class or function, which is returned as it is.
            where: path in the config, for the error.
            modules: the modules that a dotted path may import, with all that is below them; None:
                any. What is registered needs none.
        """
        place = f"{where}.type" if where else self.kind
        if callable(name):
            return name
        if not isinstance(name, str):
            raise KindError(f"{place} must be a class or a name, not {name!r}")
        known = self._known()
        if name in known:
            found: Callable[..., Any] = known[name]
            return found
        if "." not in name:
            names = [*known, *self._also_known()]
            hint = near(name, names) or f"; known: {', '.join(names)}"
            prefix = f"{place}: " if where else ""
            raise ConfigError(f"{prefix}no {self.kind} called {name!r}{hint}")
        for entry in known.values():
            if path_of(entry) == name:
                return entry
        return imported(name, place, modules)

    def known(self) -> Collection[Any]:
        """All that can be found by a name, here or in the tables that this one looks into."""
        return self._known().values()

    def _also_known(self) -> list[str]:
        more = [other._also_known() for other in self._others if isinstance(other, Registry)]
        return [*self._also, *(name for names in more for name in names)]

    def _known(self) -> dict[str, Any]:
        known: dict[str, Any] = {}
        for other in reversed(self._others):
            known |= other._known() if isinstance(other, Registry) else other
        return known | self._entries


def path_of(thing: Any) -> str:
    """Return the dotted path of a class or a function, by which it can be imported.

    Example:
        >>> path_of(Registry)
        'segnoise.registry.Registry'
    """
    if not hasattr(thing, "__qualname__"):  # a partial, an object that can be called
        return f"<{thing!r}>"
    return f"{thing.__module__}.{thing.__qualname__}"


def imported(path: str, where: str, modules: Collection[str] | None = None) -> Callable[..., Any]:
    """Import a class or a function by its dotted path.

    Raises:
        ConfigError: if that fails, whatever the module does, or is not allowed.
    """
    parts = path.split(".")
    check_allowed(path, where, modules)
    if not all(part.isidentifier() for part in parts):
        raise ConfigError(
            f"{where}: {path!r} cannot be imported: define it at the top of a module, and write "
            "module.name"
        )
    found, done = _import(parts[0], path, where), 1
    for part in parts[1:]:
        done += 1
        if not hasattr(found, part):
            name = ".".join(parts[:done])
            if done == len(parts) or not hasattr(found, "__path__"):
                hint = near(part, vars(found)) if hasattr(found, "__dict__") else ""
                inside = ".".join(parts[: done - 1])
                raise ConfigError(
                    f"{where}: cannot import {path!r}: {inside} has no {part!r}{hint}"
                )
            _import(name, path, where)
        found = getattr(found, part)
    if not callable(found):
        raise ConfigError(f"{where}: {path!r} is no class or function")
    return found


def import_module(name: str, where: str, modules: Collection[str] | None = None) -> None:
    """Import a module, for what it registers."""
    check_allowed(name, where, modules)
    _import(name, name, where)


def check_allowed(path: str, where: str, modules: Collection[str] | None) -> None:
    """Raise unless a module, or what lies in one, may be imported."""
    if modules is None or any(f"{path}.".startswith(f"{module}.") for module in modules):
        return
    raise ConfigError(
        f"{where}: this config may not import {path!r}: allow its module by --allow-imports "
        f"{path.partition('.')[0]}, if you trust it"
    )


def _import(module: str, path: str, where: str) -> Any:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # a module is code: anything may go wrong in it
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        remedy = ""
        if isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]:
            what, remedy = (
                f"there is no module {module}",
                ("; put its folder on PYTHONPATH, or install it"),
            )
        raise ConfigError(f"{where}: cannot import {path!r}: {what}{remedy}") from error
