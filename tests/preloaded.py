"""Imports all of Portal, in the process that `forks` begins commands from."""

import gc
import importlib
import pkgutil

import portal

for _module in pkgutil.walk_packages(portal.__path__, "portal."):
    # They run when they are imported.
    if not _module.name.endswith((".__main__", ".env")):
        importlib.import_module(_module.name)
gc.freeze()
