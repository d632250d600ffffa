"""Puts sign-in into the web application: pages, the cookies of browsers, the hosts that are trusted."""

from __future__ import annotations

from flask import Blueprint, Flask

from portal.api import browser
from portal.api.actor import register_actor
from portal.api.forgery import register_forgery_check
from portal.api.trusted_hosts import TrustedHosts, trusted_hosts
from portal.app.portal import Portal
from portal.config import Settings
from portal.web.sign_in import SIGN_IN_PAGE, add_sign_in_pages


def register_identification(app: Flask, portal: Portal) -> None:
    """Make the application know who asks, by token or by session; with a provider, people are sent to sign in."""
    settings, access = portal.settings, portal.access
    browser.register_browser(
        app,
        access.sign_in,
        key=access.cookie_key,
        base_url=settings.base_url,
        seconds=settings.session_seconds,
    )
    register_actor(app, access.identity, sign_in_page=SIGN_IN_PAGE if access.sign_in.providers else None)
    register_forgery_check(app, origins=browser.own_origins(settings.base_url) | frozenset(settings.app_origins))


def add_sign_in(blueprint: Blueprint, portal: Portal) -> None:
    """Add the pages where people sign in, out."""
    settings, access = portal.settings, portal.access
    add_sign_in_pages(
        blueprint,
        access.sign_in,
        base_url=settings.base_url,
        allows_guests=settings.guests,
        session=browser.current_session,
        leave=browser.leave,
        fault=browser.take_fault,
    )


def trust_hosts(app: Flask, settings: Settings) -> None:
    """Make the application answer for Portal's own hosts alone."""
    hosts = trusted_hosts(settings.base_url, listens_on=settings.host, more=settings.trusted_hosts)
    app.wsgi_app = TrustedHosts(app.wsgi_app, hosts)  # type: ignore[method-assign]  # as Flask has it
