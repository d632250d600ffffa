"""Starts a workflow of a repository at GitHub.

Rules: scaffolder-backend-module-github 0.10 `github:actions:dispatch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portal.actions.contract import ActionContext, Example
from portal.actions.github import api_path, open_api, place_of
from portal.actions.host_client import segment, token_for
from portal.actions.schema import ActionSchema, Value
from portal.model.integration import Integrations


class DispatchInput(ActionSchema):
    """The input of github:actions:dispatch."""

    repo_url = Value(str, key="repoUrl", required=True, description="The repository: github.com?owner=team&repo=name.")
    workflow_id = Value(str, key="workflowId", required=True, description="File name of the workflow, or its id.")
    branch_or_tag_name = Value(
        str, key="branchOrTagName", required=True, description="Branch or tag to run the workflow of."
    )
    workflow_inputs = Value(dict, key="workflowInputs", description="Inputs of the workflow.")
    return_workflow_run_details = Value(
        bool, key="returnWorkflowRunDetails", default=False, description="Tell which run it has become."
    )
    token = Value(str, description="Token to start it with, from a secret; without it that of the settings.")


class DispatchOutput(ActionSchema):
    """The output of github:actions:dispatch."""

    workflow_run_id = Value(int, key="workflowRunId", description="The run's id, where it was asked for.")
    workflow_run_url = Value(str, key="workflowRunUrl", description="The run's url in the API.")
    workflow_run_html_url = Value(str, key="workflowRunHtmlUrl", description="The url of the run's page.")


class GitHubDispatch:
    """Starts a workflow at a GitHub that settings name."""

    id = "github:actions:dispatch"
    description = "Starts a workflow of a repository at GitHub."
    input_schema = DispatchInput
    output_schema = DispatchOutput
    examples: Sequence[Example] = (
        Example(
            "Deploy what has just been published.",
            {
                "action": "github:actions:dispatch",
                "input": {
                    "repoUrl": "${{ parameters.repoUrl }}",
                    "workflowId": "deploy.yaml",
                    "branchOrTagName": "main",
                    "workflowInputs": {"stage": "test"},
                },
            },
        ),
    )
    supports_dry_run = True
    reads_only = True

    def __init__(self, integrations: Integrations) -> None:
        self._integrations = integrations

    def run(self, context: ActionContext) -> None:
        """Start it. A run that was broken off just after starts it once more: GitHub has no way to tell."""
        given = context.input
        place = place_of(given["repo_url"], self._integrations)
        workflow, ref = given["workflow_id"], given["branch_or_tag_name"]
        if context.is_dry_run:
            context.log(f"Would start the workflow {workflow} of {place} on {ref}")
            return
        body: dict[str, Any] = {"ref": ref}
        if given["workflow_inputs"]:
            body["inputs"] = given["workflow_inputs"]
        if given["return_workflow_run_details"]:
            body["return_run_details"] = True
        context.log(f"Starting the workflow {workflow} of {place} on {ref}")
        with open_api(context, place, token_for(place.host, given["token"])) as api:
            path = f"{api_path(place)}/actions/workflows/{segment(workflow)}/dispatches"
            answer = api.ask("POST", path, body=body).body
        for name, told in (
            ("workflowRunId", "workflow_run_id"),
            ("workflowRunUrl", "run_url"),
            ("workflowRunHtmlUrl", "html_url"),
        ):
            if isinstance(answer, dict) and told in answer:
                context.output(name, answer[told])
