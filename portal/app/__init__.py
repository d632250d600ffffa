"""The composition root: settings become wired services, services become a web application."""

from portal.app.portal import Portal, build, target_of
from portal.app.wsgi import create_app

__all__ = ["Portal", "build", "create_app", "target_of"]
