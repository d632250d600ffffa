"""A template of copier is rendered by copier itself, which runs nothing and leads nowhere else."""

from __future__ import annotations

import pytest
from acting import tree, write

from portal.actions.fetch_copier import FetchCopier
from portal.errors import ActionError, InputError

QUESTIONS = """\
name:
  type: str
  validator: "{% if name|length < 2 %}too short{% endif %}"
slug:
  type: str
  default: "{{ name | lower | replace(' ', '-') }}"
licence:
  type: str
  choices: [MIT, Apache]
  default: MIT
"""


@pytest.fixture
def render(run):
    def do(files, values=None, **more):
        write(run.template, {f"s/{path}": text for path, text in files.items()})
        return run(FetchCopier(), {"url": "./s", "values": values or {}, **more})

    do.run = run
    return do


def test_names_and_bodies_are_rendered_with_answers_and_defaults(render):
    files = {
        "copier.yml": QUESTIONS,
        "{{slug}}/{{licence}}.txt.jinja": "{{ name }}\n",
        "{{slug}}/plain.txt": "{{ name }}",
        "{{_copier_conf.answers_file}}.jinja": "{{ _copier_answers | to_nice_yaml }}",
    }
    write(render.run.work, {"out/line-7/plain.txt": "old", "out/other": "kept"})
    render(files, {"name": "Line 7"}, targetPath="out")
    found = tree(render.run.work)
    answers = found.pop("out/.copier-answers.yml")
    assert found == {
        "out/line-7/MIT.txt": "Line 7\n",
        "out/line-7/plain.txt": "{{ name }}",
        "out/other": "kept",
    }
    assert "_src_path: ./s\n" in answers
    assert "name: Line 7\n" in answers


def test_a_part_of_the_folder_may_be_the_template(render):
    (render.run.template / "s/part").mkdir(parents=True)
    (render.run.template / "s/part/run.sh").write_text("x")
    (render.run.template / "s/part/run.sh").chmod(0o755)
    render({"copier.yml": "_subdirectory: part\n", "README.md": "of the template"})
    assert tree(render.run.work) == {"run.sh": "x"}
    assert (render.run.work / "run.sh").stat().st_mode & 0o111


def test_tasks_are_not_run_which_is_told(render):
    _, lines = render({"copier.yml": "_tasks: ['touch made-by-a-task']\n", "a": "x"})
    assert tree(render.run.work) == {"a": "x"}
    assert "1 tasks of the template were not run" in lines


@pytest.mark.parametrize(
    ("files", "values", "message"),
    [
        ({"copier.yml": QUESTIONS}, {"name": "x"}, "too short"),
        ({"copier.yml": QUESTIONS}, {}, 'Question "name" is required|too short'),
        ({"copier.yml": QUESTIONS}, {"name": "xy", "licence": "none"}, "licence"),
        ({"copier.yml": "a: ["}, {}, "InvalidConfigFileError: template/copier.yml"),
        ({"copier.yml": "_jinja_extensions: [os.path]\n", "a": "x"}, {}, "unsafe feature: jinja_extensions"),
        ({"copier.yml": "a: !include /etc/hostname\n"}, {}, "relative"),
        ({"copier.yml": "a: !include ../../*\n"}, {}, "leads out of the template or its target$"),
        ({"a.jinja": "{{ ''.__class__.__mro__ }}"}, {}, "unsafe"),
        ({"a.jinja": "{% include '/etc/passwd' %}"}, {}, "passwd"),
        ({"a.jinja": "{{ nonsense("}, {}, "unexpected|expected"),
        ({"copier.yml": "n: ../../out\n", "{{n}}.jinja": "x"}, {}, 'leads out of .*: "../../out"'),
        (
            {"copier.yml": "_external_data: {x: /etc/hostname}\n", "a.jinja": "{{ _external_data.x }}"},
            {},
            "leads out of the template or its target$",
        ),
    ],
)
def test_what_is_faulty_or_leads_elsewhere_is_refused(render, files, values, message):
    with pytest.raises(InputError, match=message):
        render(files, values)
    assert tree(render.run.work) == {}
    assert {place.name for place in render.run.folder.iterdir()} == {"work", "template"}


def test_a_folder_of_git_in_the_template_is_not_looked_at(render):
    write(render.run.template, {"s/.git/config": "[core]\n\tfsmonitor = touch /tmp/never\n", "s/.git/HEAD": "ref: x"})
    render({"a": "x"})
    assert tree(render.run.work) == {"a": "x"}


def test_what_is_no_folder_is_refused(run):
    write(run.template, {"file": "x"})
    with pytest.raises(InputError, match="expected a folder"):
        run(FetchCopier(), {"url": "file"})


def test_a_template_that_never_ends_is_ended(run):
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    write(run.template, {"s/a.jinja": loops})
    with pytest.raises(ActionError, match="ended at a limit"):
        run(FetchCopier(cpu_seconds=4), {"url": "s", "values": {}})
