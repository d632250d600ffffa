"""The pages: HTML, made on the server."""

from portal.web.pages import web_blueprint

__all__ = ["web_blueprint"]
