#!/bin/sh
# Fill a store that has its tables with the samples, and train them: enough to see that all works.
set -eu
for name in intents customers; do
  python -m db import "$name" "datasets/$name.csv"
  python -m enrich train "$name"
done
python -m enrich once
