#!/usr/bin/env bash
# Builds and pushes the images, makes the flex template, and starts a job of it. docker must be
# allowed into the registry, once: gcloud auth configure-docker REGION-docker.pkg.dev
set -euo pipefail

fail() {
  echo "error: $1; usage: PROJECT=... REGION=... BUCKET=... REPOSITORY=..." \
    "[MAX_WORKERS=10] [TAG=...] $0 INPUT OUTPUT [PARAMETER=VALUE ...]" >&2
  exit 2
}

for name in PROJECT REGION BUCKET REPOSITORY; do
  [[ -n "${!name:-}" ]] || fail "$name is not set"
done
(($# >= 2)) || fail "INPUT and OUTPUT are needed"

here=$(dirname "$0")
tag=${TAG:-$(date +%Y%m%d-%H%M%S)}
registry=$REGION-docker.pkg.dev/$PROJECT/$REPOSITORY
pipelines=$registry/musicnet-duet:$tag
image=$registry/musicnet-duet-dataflow:$tag
template=gs://$BUCKET/templates/musicnet-duet-$tag.json

# A value may have commas, which gcloud would split it at: hence another delimiter.
parameters=()
for parameter in "input=$1" "output=$2" "${@:3}" "sdk_container_image=$image"; do
  [[ $parameter == ?*=* ]] || fail "'$parameter' is not PARAMETER=VALUE"
  parameters+=("--parameters=^|^$parameter")
done

# The machines' architecture is that of n2, whatever this one's is.
docker build --platform=linux/amd64 --file="$here/../Dockerfile" --tag="$pipelines" "$here/../.."
docker push "$pipelines"
docker build --platform=linux/amd64 --build-arg="IMAGE=$pipelines" --tag="$image" "$here"
docker push "$image"

gcloud dataflow flex-template build "$template" --project="$PROJECT" --image="$image" \
  --sdk-language=PYTHON --metadata-file="$here/metadata.json"

# A worker has a process for each of its four cores, and a process two bundles at once: one is read
# while the other is computed.
gcloud dataflow flex-template run "musicnet-duet-$tag" --project="$PROJECT" --region="$REGION" \
  --template-file-gcs-location="$template" \
  --staging-location="gs://$BUCKET/staging" --temp-location="gs://$BUCKET/temp" \
  --worker-machine-type=n2-standard-4 --max-workers="${MAX_WORKERS:-10}" "${parameters[@]}" \
  --additional-pipeline-options=sdk_location=container,disk_size_gb=30,number_of_worker_harness_threads=2
