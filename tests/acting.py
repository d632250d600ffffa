"""Runs one action over real folders, as a step of a task does."""

from __future__ import annotations

from portal.actions.contract import ActionContext, TemplateInfo
from portal.actions.repository_mark import RepositoryMarks
from portal.actions.schema import load_input
from portal.actions.workspace import Workspace
from portal.defaults.actions import all_actions
from portal.model.ref import EntityRef
from portal.model.secret import Secret
from portal.services.templates import Templates
from portal.vcs.mirror import Mirrors
from portal.vcs.policy import RemotePolicy

MARKS = RepositoryMarks(lambda: b"key of the tests")


class Registering:
    """A catalog that brings what it is told, and holds entities by reference."""

    def __init__(self, *refs, fault=None, entities=None, grants=()):
        self.refs, self.fault, self.targets = [EntityRef(ref) for ref in refs], fault, []
        self.entities, self.asked = entities or {}, 0
        self.grants = grants

    def by_refs(self, refs):
        self.asked += 1
        return {ref: self.entities[ref] for ref in refs if ref in self.entities}

    def register(self, target):
        self.targets.append(target)
        if self.fault is not None:
            raise self.fault
        return self.refs

    def repository_access(self, owner, layer):
        return self.grants


class Runner:
    """Runs actions in the workspace `work`, for the template in `template`, both below `folder`."""

    def __init__(self, folder):
        self.folder, self.work, self.template = folder, folder / "work", folder / "template"
        self.work.mkdir()
        self.template.mkdir()

    def __call__(
        self, action, given=None, *, catalog=None, cancelled=False, task_id="task", log=None, strict=False, **more
    ):
        """Return the output and the lines of the log."""
        output, lines = {}, []
        policy = RemotePolicy(allowed_schemes=frozenset({"https"}))
        templates = Templates(Mirrors(self.folder / "mirrors", policy))
        context = ActionContext(
            input=load_input(action.id, action.input_schema, given or {}, strict=strict),
            workspace=Workspace(self.work),
            reader=templates.reader(f"file:{self.template / 'template.yaml'}", commit=""),
            catalog=catalog or Registering(),
            log=log or lines.append,
            output=output.__setitem__,
            cancelled=lambda seconds: cancelled,
            task_id=task_id,
            step_id="step",
            **{
                "secrets": {"K": Secret("k")},
                "user": {"ref": "user:default/ann"},
                "template": TemplateInfo(EntityRef("template:default/t")),
                **more,
            },
        )
        action.run(context)
        return output, lines


def shipped(engine, folder):
    """Return the actions that ship with Portal, without a Portal to ask."""
    return all_actions(engine, repositories=folder, policy=RemotePolicy(), owners=None, portal=None, marks=MARKS)


def write(folder, files):
    """Write text files by their paths."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def tree(folder):
    """Return the text files of a folder by their paths."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }
