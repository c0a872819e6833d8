"""The settings of all processes, declared by what they concern."""

from .loader import Settings, load_settings

__all__ = ["Settings", "load_settings"]
