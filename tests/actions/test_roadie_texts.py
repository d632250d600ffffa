"""Roadie's actions that turn values into text, pack files, wait."""

from __future__ import annotations

from zipfile import ZipFile

import pytest
from acting import write

from portal.actions.roadie_archive import Zip
from portal.actions.roadie_serialize import SerializeJson, SerializeYaml
from portal.actions.roadie_sleep import Sleep
from portal.errors import ActionError, InputError, NotAllowedError, TaskCancelledError


def test_values_become_text(run):
    data = {"b": [1, {"c": "yes"}], "a": "x: y"}
    assert run(SerializeJson(), {"data": data})[0] == {"serialized": '{"b":[1,{"c":"yes"}],"a":"x: y"}'}
    assert run(SerializeJson(), {"data": data, "replacer": ["a"], "space": "\t"})[0] == {
        "serialized": '{\n\t"a": "x: y"\n}'
    }
    assert run(SerializeYaml(), {"data": data})[0] == {"serialized": "b:\n  - 1\n  - c: 'yes'\na: 'x: y'\n"}


def test_long_texts_are_folded_as_the_options_say(run):
    data = {"t": "word " * 30 + "end"}
    folded, _ = run(SerializeYaml(), {"data": data, "options": {"lineWidth": 40}})
    assert max(map(len, folded["serialized"].splitlines())) <= 46
    whole, _ = run(SerializeYaml(), {"data": data, "options": {"lineWidth": -1}})
    assert whole["serialized"].count("\n") == 1
    with pytest.raises(InputError, match="indent"):
        run(SerializeYaml(), {"data": data, "options": {"indent": 1}})


def test_a_folder_is_packed_with_modes_and_equally_each_time(run):
    write(run.work, {"d/a": "1", "d/e/b": "2", "d/run.sh": "x"})
    (run.work / "d/run.sh").chmod(0o755)
    (run.work / "d/link").symlink_to("a")
    output, lines = run(Zip(), {"path": "d", "outputPath": "out/d.zip"})
    assert output == {"outputPath": "out/d.zip"}
    assert "link is a link and was left out" in lines
    with ZipFile(run.work / "out/d.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"a": b"1", "e/b": b"2", "run.sh": b"x"}
        assert archive.getinfo("run.sh").external_attr >> 16 & 0o111
    first = (run.work / "out/d.zip").read_bytes()
    run(Zip(), {"path": "./d", "outputPath": "d/d.zip"})
    run(Zip(), {"path": "d", "outputPath": "d/d.zip"})
    assert (run.work / "d/d.zip").read_bytes() == first


def test_a_file_is_packed_alone(run):
    write(run.work, {"d/a": "1"})
    run(Zip(), {"path": "d/a", "outputPath": "a.zip"})
    with ZipFile(run.work / "a.zip") as archive:
        assert archive.namelist() == ["a"]


def test_what_cannot_be_packed_is_told(run):
    write(run.work, {"a": "1"})
    with pytest.raises(InputError, match=r"File absent does not exist\. Can't zip it\."):
        run(Zip(), {"path": "absent", "outputPath": "x.zip"})
    for given_input in ({"path": "../template", "outputPath": "x.zip"}, {"path": "a", "outputPath": "../x.zip"}):
        with pytest.raises(NotAllowedError):
            run(Zip(), given_input)
    with (run.work / "large").open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    with pytest.raises(ActionError, match="to be packed"):
        run(Zip(), {"path": ".", "outputPath": "x.zip"})


def test_sleep_ends_when_the_task_is_cancelled_and_refuses_long_times(run):
    run(Sleep(), {"amount": 0})
    with pytest.raises(TaskCancelledError):
        run(Sleep(), {"amount": 500}, cancelled=True)
    for amount in (601, -1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="expected 0 to 600"):
            run(Sleep(), {"amount": amount})
    with pytest.raises(InputError, match="number"):
        run(Sleep(), {"amount": "5"})
