"""One file beside the template becomes one of the workspace."""

from __future__ import annotations

import pytest
from acting import tree, write

from portal.actions.fetch_file import FetchPlainFile, FetchTemplateFile
from portal.errors import ActionError, InputError, NotAllowedError, NotFoundError, TemplateError


def test_a_plain_file_is_copied_byte_for_byte(run):
    content = bytes(range(256))
    (run.template / "logo").write_bytes(content)
    (run.template / "logo").chmod(0o755)
    write(run.work, {"deep/logo": "old"})
    run(FetchPlainFile(), {"url": "./logo", "targetPath": "deep/logo"})
    assert (run.work / "deep/logo").read_bytes() == content
    assert (run.work / "deep/logo").stat().st_mode & 0o111


def test_a_template_file_is_rendered_and_keeps_no_mode(run, engine):
    write(run.template, {"one.sh": "hi ${{ values.name }}"})
    (run.template / "one.sh").chmod(0o755)
    run(FetchTemplateFile(engine), {"url": "one.sh", "targetPath": "deep/two.sh", "values": {"name": "atlas"}})
    assert tree(run.work) == {"deep/two.sh": "hi atlas"}
    assert not (run.work / "deep/two.sh").stat().st_mode & 0o111


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(run, engine):
    write(run.template, {"one": "new"})
    write(run.work, {"two": "old"})
    action = FetchTemplateFile(engine)
    _, lines = run(action, {"url": "one", "targetPath": "two"})
    assert tree(run.work) == {"two": "old"}
    assert lines == ["File two already exists in workspace, not replacing."]
    run(action, {"url": "one", "targetPath": "two", "replace": True})
    assert tree(run.work) == {"two": "new"}


def test_the_options_of_the_template_language_count_for_one_file_too(run, engine):
    write(run.template, {"c": "{{ cookiecutter.n }}", "b": "{% if true %}\n  x\n{% endif %}\n"})
    action = FetchTemplateFile(engine)
    run(action, {"url": "c", "targetPath": "c", "values": {"n": 1}, "cookiecutterCompat": True})
    run(action, {"url": "b", "targetPath": "b", "trimBlocks": True, "lstripBlocks": True})
    assert tree(run.work) == {"c": "1", "b": "  x\n"}
    write(run.template, {"bad": "${{ values.n | nofilter }}"})
    with pytest.raises(TemplateError, match="bad"):
        run(action, {"url": "bad", "targetPath": "bad"})


def test_what_is_no_file_or_elsewhere_is_refused(run, engine):
    write(run.template, {"s/a": "x"})
    write(run.work, {"d/x": "kept"})
    (run.work / "link").symlink_to("/etc")
    for action in (FetchPlainFile(), FetchTemplateFile(engine)):
        for given, error in (
            ({"url": "s", "targetPath": "x"}, InputError),
            ({"url": "s/absent", "targetPath": "x"}, NotFoundError),
            ({"url": "../work/d/x", "targetPath": "x"}, NotAllowedError),
            ({"url": "file:///etc/passwd", "targetPath": "x"}, NotAllowedError),
            ({"url": "s/a", "targetPath": "../x"}, NotAllowedError),
            ({"url": "s/a", "targetPath": "/x"}, NotAllowedError),
            ({"url": "s/a", "targetPath": "link/x"}, NotAllowedError),
            ({"url": "s/a", "targetPath": "d", "replace": True}, ActionError),
            ({"url": "s/a", "targetPath": "d/x/y"}, ActionError),
            ({"url": "s/a"}, InputError),
        ):
            with pytest.raises(error):
                run(action, given)
    assert tree(run.work) == {"d/x": "kept"}
