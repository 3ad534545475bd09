"""The albums of all visitors: a page that is loaded again finds its own."""

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from cinn_app.systems.colorization.studio.album import Album

__all__ = ["REMEMBER", "AlbumStore", "Kept"]

#: A script that remembers the key of the album, which is the value of its component, and asks for the album of an
#: earlier page by the event `find`. A tab of the browser has its key until it is closed, and the browser has the latest
#: one, for a tab that is opened later. Two tabs never open the same album, since each would undo what is done in the
#: other: a lock says whether it is open. Browsers have locks if the page came over HTTPS or from this computer.
REMEMBER = """
let held = null;
const locked = (key, options) => new Promise((answer) => {
    const lock = (granted) => {
        answer(granted !== null);
        return granted && new Promise(() => {});  // until the page is gone
    };
    navigator.locks.request(`album ${key}`, options, lock).catch(() => answer(false));
});
const find = async () => {
    const { album: mine } = sessionStorage, { album: latest } = localStorage;
    // The page that is loaded again may still be on its way out.
    const free = (key) => !navigator.locks ? key === mine
        : locked(key, key === mine ? { signal: AbortSignal.timeout(3000) } : { ifAvailable: true });
    for (const key of new Set([mine, latest])) {
        if (!key || held || !await free(key)) continue;
        held = key;
        props.value = { key, again: key === mine };
        trigger("find");
        return;
    }
};
const remember = () => {
    if (typeof props.value !== "string" || props.value === held) return;
    held = props.value;
    if (navigator.locks) locked(held, {});
    sessionStorage.album = localStorage.album = held;
};
watch("value", () => remember());
find();
setInterval(() => held && trigger("input"), 3600e3);  // a page that is open uses its album
"""


#: How many states of photographs all albums may have together: each takes about 0.1 MB of memory.
MAX_STATES = 2000


class Kept(NamedTuple):
    """An album as it was left.

    Attributes:
        album: with its photographs.
        shown: the file of the photograph in view.
    """

    album: Album
    shown: Path | None


class AlbumStore:
    """Keeps albums by their keys, as long as their folders exist and there is room, those that were used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}

    def keep(self, album: Album, shown: Path | None) -> None:
        """Keep an album as it is now, in place of what it was."""
        with suppress(OSError):
            os.utime(album.folder)  # it is in use
        with self._lock:
            self._kept.pop(album.key, None)
            self._kept[album.key] = Kept(album, shown)  # the last one used is the last one
            self._kept = {key: kept for key, kept in self._kept.items() if kept.album.folder.exists()}
            excess = sum(len(kept.album.snapshots) for kept in self._kept.values()) - MAX_STATES
            for key in list(self._kept)[:-1]:
                if excess > 0:
                    excess -= len(self._kept.pop(key).album.snapshots)

    def find(self, asked: Any) -> Kept | None:
        """Return the album that a page asks for by its key, unless it has been deleted."""
        key = asked.get("key") if isinstance(asked, Mapping) else None
        kept = self._kept.get(key) if isinstance(key, str) else None
        return kept if kept and kept.album.folder.exists() else None
