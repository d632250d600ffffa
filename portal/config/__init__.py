"""Typed settings, from a file, the environment, the command line."""

from portal.config.data_folder import make_data_folder
from portal.config.settings import SETTINGS, Setting, Settings, as_environment, load_settings

__all__ = ["SETTINGS", "Setting", "Settings", "as_environment", "load_settings", "make_data_folder"]
