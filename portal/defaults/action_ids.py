"""The ids of all actions, known without importing any: what they work with takes a second to import."""

from __future__ import annotations

from portal.plugins.registry import installed

#: Those of `portal.defaults.actions`.
SHIPPED_ACTIONS = frozenset(
    {
        "catalog:fetch",
        "catalog:register",
        "catalog:write",
        "debug:log",
        "debug:wait",
        "fetch:cookiecutter",
        "fetch:copier",
        "fetch:plain",
        "fetch:plain:file",
        "fetch:template",
        "fetch:template:file",
        "fs:delete",
        "fs:readdir",
        "fs:rename",
        "github:actions:dispatch",
        "http:backstage:request",
        "portal:ownership:check",
        "publish:git",
        "publish:gitea",
        "publish:gitea:pull-request",
        "publish:github",
        "publish:github:pull-request",
        "publish:gitlab",
        "publish:gitlab:merge-request",
        "roadiehq:utils:fs:append",
        "roadiehq:utils:fs:parse",
        "roadiehq:utils:fs:replace",
        "roadiehq:utils:fs:write",
        "roadiehq:utils:json:merge",
        "roadiehq:utils:jsonata",
        "roadiehq:utils:jsonata:json:transform",
        "roadiehq:utils:jsonata:yaml:transform",
        "roadiehq:utils:merge",
        "roadiehq:utils:serialize:json",
        "roadiehq:utils:serialize:yaml",
        "roadiehq:utils:sleep",
        "roadiehq:utils:yaml:merge",
        "roadiehq:utils:zip",
    }
)


def action_ids() -> frozenset[str]:
    """Return the ids of what ships with Portal, and of what installed distributions add.

    Those of a distribution that cannot be imported are among them: that is no fault of a template.
    """
    return SHIPPED_ACTIONS | {point.name for point in installed().select(group="portal.actions")}
