"""The pages: HTML, made on the server."""

from portal.web.answers import error_page
from portal.web.pages import web_blueprint

__all__ = ["error_page", "web_blueprint"]
