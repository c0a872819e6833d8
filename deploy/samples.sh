#!/bin/sh
# Import the samples into a store that has its tables and datasets, train their models, and enrich once.
set -eu
for name in intents customers; do
  python -m db import "$name" "datasets/$name.csv"
  python -m enrich train "$name"
done
python -m enrich once
