#!/bin/bash
# A Slurm of one node under the folder $1, as root, on loopback: no systemd, no cgroups, a munge of its
# own. Partitions: debug (jobs are requeued when preempted) and high (preempts). slurm_down.sh stops it.
set -euo pipefail
mkdir -p "$1"
dir=$(cd "$1" && pwd)
host=$(hostname -s)
memory=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) / 1024 * 8 / 10))
mkdir -p "$dir"/munge "$dir"/ctld "$dir"/slurmd "$dir"/log
chmod 0700 "$dir/munge"
(umask 077 && head -c 1024 /dev/urandom >"$dir/munge/munge.key")
munged --force --key-file="$dir/munge/munge.key" --socket="$dir/munge.socket" \
  --pid-file="$dir/munge/munged.pid" --log-file="$dir/munge/munged.log" --seed-file="$dir/munge/seed"

# Two GPUs that are not there: enough for jobs to ask for them.
touch "$dir/gpu0" "$dir/gpu1"
echo "NodeName=$host Name=gpu File=$dir/gpu[0-1]" >"$dir/gres.conf"

# cred_expire is how long a requeued job waits, 120 s by default. The node's processors are made up, so
# that jobs run side by side on a small machine.
cat >"$dir/slurm.conf" <<CONF
ClusterName=one-node
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPort=${SLURMCTLD_PORT:-16817}
SlurmdPort=${SLURMD_PORT:-16818}
SlurmdParameters=config_overrides
StateSaveLocation=$dir/ctld
SlurmdSpoolDir=$dir/slurmd
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/log/jobcomp.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmctldParameters=preempt_send_user_signal
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=5
MinJobAge=900
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SlurmctldTimeout=30
SlurmdTimeout=60
InactiveLimit=0
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=$memory Gres=gpu:2 State=UNKNOWN
PartitionName=debug Nodes=$host Default=YES MaxTime=60 State=UP PriorityTier=1 GraceTime=20
PartitionName=high Nodes=$host MaxTime=60 State=UP PriorityTier=10 PreemptMode=OFF
CONF
export SLURM_CONF="$dir/slurm.conf"
slurmctld -c -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF" -N "$host"
SECONDS=0
while [ $SECONDS -lt 20 ]; do
  state=$(timeout 2 sinfo --noheader --format=%T 2>/dev/null | head -1 || true)
  [ "$state" = idle ] && exit 0
  sleep 0.5
done
echo "Slurm did not come up" >&2
tail -20 "$dir"/log/*.log >&2
exit 1
