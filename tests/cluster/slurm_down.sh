#!/bin/bash
# Stops what slurm_up.sh has started under the folder $1, by its own pid files.
dir=$1
export SLURM_CONF="$dir/slurm.conf"
timeout 10 scancel --user="$(id -un)" 2>/dev/null
sleep 1
for file in "$dir/slurmd.pid" "$dir/slurmctld.pid" "$dir/munge/munged.pid"; do
  [ -s "$file" ] && kill "$(cat "$file")" 2>/dev/null
done
exit 0
