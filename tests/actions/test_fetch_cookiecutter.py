"""A folder is rendered by cookiecutter itself, which reaches nothing but the texts it is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from acting import tree, write

from portal.actions.fetch_cookiecutter import FetchCookiecutter
from portal.errors import ActionError, InputError, NotAllowedError

DECLARED = {
    "project_name": "My Thing",
    "slug": "{{ cookiecutter.project_name | lower | replace(' ', '-') }}",
    "licence": ["MIT", "Apache"],
    "_private": "kept",
}


@pytest.fixture
def render(run):
    def do(files, values=None, **more):
        write(run.template, {f"s/{path}": text for path, text in files.items()})
        return run(FetchCookiecutter(), {"url": "s", "values": values or {}, **more})

    do.run = run
    return do


def test_names_and_bodies_are_rendered_with_values_defaults_and_choices(render):
    files = {
        "cookiecutter.json": json.dumps(DECLARED),
        "{{cookiecutter.slug}}/{{cookiecutter.licence}}": "{{ cookiecutter.project_name }} {{cookiecutter._private}}\n",
        "{{cookiecutter.slug}}/{% if false %}no{% endif %}": "left out",
        "{{cookiecutter.slug}}/crlf": "a\r\n{{ 1 + 1 }}\r\n",
        "hooks/post_gen_project.sh": "touch /tmp/never",
    }
    render(files, {"project_name": "Line Seven"})
    found = tree(render.run.work)
    assert json.loads(found.pop("cookiecutter.json"))["project_name"] == "My Thing"
    assert found == {
        "line-seven/MIT": "Line Seven kept\n",
        "line-seven/crlf": "a\n2\n",
        "hooks/post_gen_project.sh": "touch /tmp/never",
    }
    assert (render.run.work / "line-seven/crlf").read_bytes() == b"a\r\n2\r\n"


def test_it_renders_what_the_library_by_itself_does(render, tmp_path):
    files = {
        "{{cookiecutter.slug}}/a.py": "{% for n in range(3) %}{{ n }},{% endfor %}{{ 'A b' | slugify }}\n",
        "{{cookiecutter.slug}}/d/raw.txt": "{{ untouched }}",
        "{{cookiecutter.slug}}/b": "{% include 'part.txt' %}!",
        "part.txt": "{{ cookiecutter.project_name }}",
    }
    render(files, DECLARED, copyWithoutRender=["*/raw.txt"])
    template = tmp_path / "alone"
    write(template / "{{cookiecutter and 'contents'}}", files)
    write(template, {"cookiecutter.json": json.dumps(DECLARED | {"_copy_without_render": ["*/raw.txt"]})})
    # The library finds includes by their whole path in the template.
    (template / "{{cookiecutter and 'contents'}}/{{cookiecutter.slug}}/b").unlink()
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(tmp_path / "out"), str(template)]
    subprocess.run(command, check=True, env=os.environ | {"HOME": str(tmp_path)})
    (made,) = (tmp_path / "out").iterdir()
    found = tree(render.run.work)
    assert found.pop("my-thing/b") == "My Thing!"
    assert found == tree(made)


def test_modes_links_and_bytes_stay(render):
    write(render.run.template, {"s/run.sh": "{{ cookiecutter.n }}"})
    (render.run.template / "s/run.sh").chmod(0o755)
    (render.run.template / "s/logo").write_bytes(b"\x00{{ cookiecutter.n }}")
    (render.run.template / "s/{{cookiecutter.n}}").symlink_to("run.sh")
    (render.run.template / "s/out").symlink_to("/etc/passwd")
    render({}, {"n": "x"})
    assert (render.run.work / "run.sh").stat().st_mode & 0o111
    assert (render.run.work / "logo").read_bytes() == b"\x00{{ cookiecutter.n }}"
    assert (render.run.work / "x").readlink().name == "run.sh"
    assert not (render.run.work / "out").is_symlink()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ cookiecutter.absent }}", "a: .*absent"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "a: .*unsafe"),
        ("{{ cookiecutter.__init__.__globals__ }}", "a: .*unsafe"),
        ("{{ '{0.__class__}'.format(1) }}", "a: .*unsafe"),
        ("{% include '/etc/passwd' %}", "a: .*/etc/passwd"),
        ("{% include '../../etc/passwd' %}", "a: "),
        ("{% for n in range(99999999) %}{% endfor %}", "a: Range too big"),
        ("{{ 'x' * 99999999999 }}", "a: it needs too much"),
        ("{% nonsense %}", "a: .*unknown tag"),
        ("{{ 1 / 0 }}", "a: division by zero"),
    ],
)
def test_what_reaches_beyond_the_text_is_refused(render, text, message):
    with pytest.raises(InputError, match=message):
        render({"a": text}, {"n": 1})
    assert tree(render.run.work) == {}


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../out"])
def test_no_name_leaves_the_workspace(render, name):
    values = {"n": name}
    if name.startswith("/"):
        render({"{{cookiecutter.n}}": "x"}, values)
    else:
        with pytest.raises(NotAllowedError):
            render({"{{cookiecutter.n}}": "x"}, values)
    assert tree(render.run.work) == {}
    assert {place.name for place in render.run.folder.iterdir()} == {"work", "template"}


@pytest.mark.parametrize(
    ("files", "more", "message"),
    [
        ({"a": "x"}, {"extensions": ["os.path"]}, "found extension 'os.path'"),
        ({"cookiecutter.json": '{"_extensions": ["local.Ext"]}'}, {}, "found extension 'local.Ext'"),
        ({"cookiecutter.json": "[1]"}, {}, "expected a mapping"),
        ({"cookiecutter.json": "{"}, {}, "no JSON"),
        ({"cookiecutter.json": '{"a": "{{ cookiecutter.b }}"}'}, {}, "cookiecutter.json: "),
    ],
)
def test_faulty_declarations_are_told(render, files, more, message):
    with pytest.raises(InputError, match=message):
        render(files, **more)


def test_an_extension_that_may_be_used_is(render):
    render({"a": "{% set l = [] %}{% do l.append(1) %}{{ l }}"}, extensions=["jinja2.ext.do"])
    assert tree(render.run.work) == {"a": "[1]"}


def test_a_template_that_never_ends_is_ended(run):
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    write(run.template, {"s/a.jinja": loops})
    with pytest.raises(ActionError, match="ended at a limit"):
        run(FetchCookiecutter(cpu_seconds=2), {"url": "s", "values": {}})
