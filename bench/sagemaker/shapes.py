"""Holds the arguments of every step of a pipeline definition against the shapes of
SageMaker's own API, as botocore knows them.

    shapes.py DEFINITION

References and functions stand for texts, as SageMaker resolves them.
"""

import json
import sys

import botocore.session
from botocore.validate import ParamValidator

# Step type -> operation, and what SageMaker adds by itself.
OPERATIONS = {
    "Processing": ("CreateProcessingJob", {"ProcessingJobName": "pipelines-k3x9-step"}),
    "Training": ("CreateTrainingJob", {"TrainingJobName": "pipelines-k3x9-step"}),
    "RegisterModel": ("CreateModelPackage", {}),
}


def resolve(value, parameters):
    if isinstance(value, list):
        return [resolve(v, parameters) for v in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Get"}:
        return parameters.get(value["Get"], "s3://bucket/key")
    if set(value) == {"Std:Join"}:
        return value["Std:Join"]["On"].join(str(resolve(v, parameters)) for v in value["Std:Join"]["Values"])
    if set(value) == {"Std:JsonGet"}:
        return "1"
    return {k: resolve(v, parameters) for k, v in value.items()}


def steps(all_steps):
    for step in all_steps:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from steps(step["Arguments"].get(branch, []))


def main(path):
    with open(path) as f:
        definition = json.load(f)
    model = botocore.session.get_session().get_service_model("sagemaker")
    parameters = {"Parameters." + p["Name"]: p["DefaultValue"] for p in definition["Parameters"]}
    checked = {}
    for step in steps(definition["Steps"]):
        if step["Type"] not in OPERATIONS:
            continue
        operation, more = OPERATIONS[step["Type"]]
        shape = model.operation_model(operation).input_shape
        report = ParamValidator().validate({**more, **resolve(step["Arguments"], parameters)}, shape)
        if report.has_errors():
            sys.exit(f"{step['Name']} ({operation}): {report.generate_report()}")
        checked[operation] = checked.get(operation, 0) + 1
    print(json.dumps({"botocore": botocore.__version__, **checked}))


main(sys.argv[1])
