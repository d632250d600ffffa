"""Kubeflow reads component.yaml, and a pipeline can be made with it."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_the_image_has_the_version_of_the_package():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    component = (ROOT / "component.yaml").read_text(encoding="utf-8")

    assert re.findall(r"image: .*:([^:\s]+)$", component, re.MULTILINE) == [version]


def test_a_pipeline_compiles_with_the_component(tmp_path):
    kfp = pytest.importorskip("kfp", reason="the group kubeflow is not installed")
    component = kfp.components.load_component_from_file(str(ROOT / "component.yaml"))

    @kfp.dsl.pipeline(name="tries-the-component")
    def pipeline():
        source = kfp.dsl.importer(artifact_uri="s3://bucket/rows.csv", artifact_class=kfp.dsl.Dataset)
        component(rows=source.output, required="id")

    made = tmp_path / "pipeline.yaml"
    kfp.compiler.Compiler().compile(pipeline, str(made))

    assert "--required" in made.read_text(encoding="utf-8")
