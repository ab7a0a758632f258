# Ends what Slurm runs, or has queued, under the name $FUSE_BUNDLE: SIGTERM asks, later comes SIGKILL.
# The fuse executor calls it when a run is stopped or killed, as often as it takes to succeed.
set -eu

# srun in no allocation made a job of this name; Slurm itself kills it after KillWait seconds
if [ -z "${SLURM_JOB_ID:-}" ]; then
    for state in PENDING RUNNING SUSPENDED; do scancel --name="$FUSE_BUNDLE" --state="$state"; done
    exit
fi

# inside an allocation srun made a step; scancel alone would kill it at once
find_steps() {
    listed=$(squeue --noheader --steps --jobs="$SLURM_JOB_ID" --format="%i %j")
    steps=$(echo "$listed" | awk -v name="$FUSE_BUNDLE" '$2 == name { print $1 }')
}

find_steps
for step in $steps; do scancel --signal=TERM "$step"; done
seconds=30
while [ -n "$steps" ] && [ "$seconds" -gt 0 ]; do
    sleep 1
    seconds=$((seconds - 1))
    find_steps
done
for step in $steps; do scancel "$step"; done
