#!/bin/sh
# Wait until Temporal serves. Then create the namespace if it is missing, and set how long it keeps closed workflows.
set -eu
until temporal operator cluster health; do sleep 2; done
temporal operator namespace describe --namespace default >/dev/null 2>&1 ||
  temporal operator namespace create --namespace default --retention 30d
temporal operator namespace update --namespace default --retention 30d
