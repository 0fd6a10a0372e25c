"""Validates a JSON document against a JSON Schema; of a file named *.jsonl each line. Usage: schema.py SCHEMA DOCUMENT."""

import json
import sys

import jsonschema

with open(sys.argv[1]) as file:
    schema = json.load(file)
with open(sys.argv[2]) as file:
    documents = [json.loads(line) for line in file] if sys.argv[2].endswith(".jsonl") else [json.load(file)]
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
errors = [error for document in documents for error in validator.iter_errors(document)]
for error in errors:
    print("/".join(map(str, error.absolute_path)), error.message)
sys.exit(bool(errors) or not documents)
