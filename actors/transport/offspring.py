"""What a parent knows of its children, by their numbers.

Thespian keeps lists and compares addresses one by one: for each message to a child that has not said yet where it
listens, at each child's birth and at its end. With a thousand children that takes seconds. And it keeps an entry for
each child that there ever was.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

from thespian.system.addressManager import ActorAddressManager, ActorLocalAddress


class Addresses(ActorAddressManager):  # type: ignore[misc]
    """An entry is forgotten when nobody has the address any more that the child's maker was given."""

    def __init__(self, admin: Any, own: Any) -> None:
        super().__init__(admin, own)
        self._managed = _Managed()

    def createLocalAddress(self) -> Any:  # noqa: N802 - Thespian's name
        address = super().createLocalAddress()
        details = address.addressDetails
        weakref.finalize(details, self._managed.forget, details.addressInstanceNum).atexit = False
        return address


class _Managed:
    """Stands for Thespian's list of the children's real addresses, None while one is not known; by number."""

    def __init__(self) -> None:
        self._real: dict[int, Any] = {}
        self._made = 0

    def append(self, real: Any) -> None:
        self._real[self._made] = real
        self._made += 1

    def __len__(self) -> int:
        return self._made

    def __getitem__(self, number: int) -> Any:
        return self._real.get(number)

    def __setitem__(self, number: int, real: Any) -> None:
        if number in self._real:
            self._real[number] = real

    def forget(self, number: int) -> None:
        self._real.pop(number, None)

    @property
    def kept(self) -> int:
        return len(self._real)


class Awaited:
    """Messages for children that have not said yet where they listen, and for others whose address is not known."""

    def __init__(self) -> None:
        self._intents: dict[Any, list[Any]] = {}

    def add(self, address: Any, intent: Any) -> None:
        self._intents.setdefault(_key(address), []).append(intent)

    def remove_intents_for_address(self, address: Any) -> list[Any]:
        return self._intents.pop(_key(address), [])

    def fmap(self, call: Callable[[Any], object]) -> None:
        for key, intents in self._intents.items():
            call((str(key), intents))


class Children:
    """The addresses of the living ones. Thespian adds a child by its real address, and filters by address."""

    def __init__(self) -> None:
        self._addresses: dict[Any, Any] = {}

    def append(self, address: Any) -> None:
        self._addresses[_key(address)] = address

    def remove(self, address: Any) -> None:
        self._addresses.pop(_key(address), None)

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._addresses.values()))

    def __len__(self) -> int:
        return len(self._addresses)


def _key(address: Any) -> Any:
    """The number of a child whose real address its maker may not know; else the real address."""
    details = address.addressDetails
    return details.addressInstanceNum if isinstance(details, ActorLocalAddress) else details
