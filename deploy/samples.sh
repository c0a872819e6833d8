#!/bin/sh
# Import the samples into a store that has its tables and datasets, enrich them, train their models on that, and
# compute the teachers' predictions.
set -eu
for name in intents customers; do
  python -m db import "$name" "datasets/$name.csv"
done
python -m enrich once
for name in intents customers; do
  python -m enrich train "$name"
done
python -m enrich once
