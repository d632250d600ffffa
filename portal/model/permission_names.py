"""The permissions that there are: the catalog's, the scaffolder's, Portal's own."""

from __future__ import annotations

from collections.abc import Mapping

from portal.model.permission import CATALOG_ENTITY, CATALOG_PERMISSIONS, Permission

SCAFFOLDER_TASK = "scaffolder-task"
#: A step or parameter page of a template.
SCAFFOLDER_TEMPLATE = "scaffolder-template"
SCAFFOLDER_ACTION = "scaffolder-action"

#: Rule: scaffolder-common 2.x `scaffolderPermissions`.
SCAFFOLDER_PERMISSIONS: tuple[Permission, ...] = (
    Permission("scaffolder.template.parameter.read", "read", SCAFFOLDER_TEMPLATE),
    Permission("scaffolder.template.step.read", "read", SCAFFOLDER_TEMPLATE),
    Permission("scaffolder.template.management"),
    Permission("scaffolder.template.dry-run"),
    Permission("scaffolder.action.execute", None, SCAFFOLDER_ACTION),
    Permission("scaffolder.task.cancel", None, SCAFFOLDER_TASK),
    Permission("scaffolder.task.create", "create"),
    Permission("scaffolder.task.read", "read", SCAFFOLDER_TASK),
)

PORTAL_PERMISSIONS: tuple[Permission, ...] = (
    # On the owner: to create something that it is to own.
    Permission("portal.asset.create", "create", CATALOG_ENTITY),
    Permission("portal.asset.upgrade", "update", CATALOG_ENTITY),
    Permission("portal.reorg.plan", "read"),
    Permission("portal.reorg.write", "update"),
    Permission("portal.exemption.grant", "create", CATALOG_ENTITY),
    Permission("portal.audit.read", "read"),
    Permission("portal.policy.explain", "read"),
    Permission("portal.token.create", "create"),
    Permission("portal.token.read", "read"),
    Permission("portal.token.revoke", "delete"),
)

#: All of them, by name.
PERMISSIONS: Mapping[str, Permission] = {
    item.name: item for item in (*CATALOG_PERMISSIONS, *SCAFFOLDER_PERMISSIONS, *PORTAL_PERMISSIONS)
}
