"""What is looked at: a home, who runs in it, and its configuration."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from squad.config.load import load
from squad.config.schema import SquadConfig
from squad.errors import ConfigError
from squad.home import Home, Launcher

CONFIG = "squad.yaml"


class Subject:
    """A home, which need not be there yet. What is asked of it is looked up once: make a new one after a repair."""

    def __init__(self, home: Home) -> None:
        self.home = home

    @property
    def exists(self) -> bool:
        return self.home.path.is_dir()

    @cached_property
    def launcher(self) -> Launcher | None:
        """Who holds the home now."""
        return self.home.launcher()

    @cached_property
    def config(self) -> Path | None:
        """The configuration of the squad that runs here, else ``squad.yaml`` beside the home or in this folder."""
        if self.launcher is not None and self.launcher.config:
            return Path(self.launcher.config)
        candidates = (self.home.path.parent / CONFIG, Path.cwd() / CONFIG)
        return next((path for path in candidates if path.exists()), None)

    @cached_property
    def settings(self) -> SquadConfig | ConfigError | None:
        """What ``config`` says, or the mistakes in it."""
        if self.config is None:
            return None
        try:
            return load(self.config)
        except ConfigError as error:
            return error

    @property
    def ground(self) -> Path:
        """The home, or the nearest folder above it that is there: where it would be made."""
        return next(folder for folder in (self.home.path, *self.home.path.parents) if folder.is_dir())
