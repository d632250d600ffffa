"""The composition root: settings become wired services; `portal.app.wsgi` makes the web application of them."""

from portal.app.portal import Portal, build
from portal.app.targets import target_of

__all__ = ["Portal", "build", "target_of"]
