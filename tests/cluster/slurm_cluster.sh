#!/usr/bin/env bash
# A real Slurm of one node on 127.0.0.1 for tests: no systemd, no database, no cgroups, and GPUs that are only counted.
#
# usage: slurm_cluster.sh FOLDER [CPUS] [MEMORY_MB]
#
# Prints "ready" when jobs can be submitted, and runs until its standard input ends or a signal comes. Then it ends every
# job and every daemon: nothing outlives whoever started it. Needs root, since Snakemake's job step finds the cluster only
# by /etc/slurm/slurm.conf; a machine that has such a file is left alone.
set -euo pipefail

folder=$(mkdir -p "$1" && cd "$1" && pwd)
cpus=${2:-4}
memory=${3:-64000}
node=$(hostname -s)
declare -A daemons=()

fail() {
  echo "error: $*" >&2
  exit 1
}

within() { # within SECONDS COMMAND...: wait until the command succeeds
  local tries=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    ((tries-- > 0)) || return 1
    sleep 0.1
  done
}

# launch NAME COMMAND...: start a daemon that stays in the foreground. The kernel ends it should this script be killed; a
# Ctrl-C, which reaches every process of the terminal's group, leaves it to this script.
launch() {
  local name=$1
  shift
  setsid setpriv --pdeathsig KILL "$@" >"$folder/$name.out" 2>&1 </dev/null &
  daemons[$name]=$!
}

no_jobs() { [ -z "$(squeue --noheader)" ]; }
node_is_idle() { [ "$(sinfo --noheader --partition cpu --format %t)" = idle ]; }
is_gone() { # or only waited for: state Z, behind the name in brackets
  local stat
  ! { read -r stat <"/proc/$1/stat"; } 2>/dev/null || [[ ${stat##*)} == " Z"* ]]
}
port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

end() {
  trap '' TERM INT HUP
  if [ -n "${daemons[slurmctld]:-}" ] && timeout 5 scancel --user="$(id -un)"; then
    within 20 no_jobs || echo "jobs outlived scancel: $(squeue --noheader)" >&2
  fi
  for name in slurmd slurmctld munged; do
    [ -n "${daemons[$name]:-}" ] || continue
    kill "${daemons[$name]}" 2>/dev/null || true
    within 10 is_gone "${daemons[$name]}" || kill -KILL "${daemons[$name]}" # slurmd, while it looks for its controller
  done
  for file in slurm gres; do
    [ "$(readlink "/etc/slurm/$file.conf")" != "$folder/$file.conf" ] || rm "/etc/slurm/$file.conf"
  done
}

# Configuration files that an earlier run of this script left, having been killed, are in nobody's way.
for file in slurm gres; do
  target=$(readlink "/etc/slurm/$file.conf" || true)
  owner=$(cat "$(dirname "${target:-/}")/slurm_cluster.pid" 2>/dev/null || true)
  if [ -n "$target" ] && { [ ! -e "$target" ] || { [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; }; }; then
    rm "/etc/slurm/$file.conf"
  fi
  [ ! -e "/etc/slurm/$file.conf" ] || fail "/etc/slurm/$file.conf exists: this machine belongs to a cluster already"
done

trap end EXIT
trap 'exit 143' TERM INT HUP

port=$((20000 + RANDOM % 10000))
until port_is_free $port && port_is_free $((port + 1)); do port=$((port + 2)); done

mkdir -p "$folder"/{state,spool} /etc/slurm
echo $$ >"$folder/slurm_cluster.pid"
(umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")
# A GPU of Slurm is a device file: any two do, for nobody opens them.
printf 'Name=gpu File=%s\n' /dev/null /dev/zero >"$folder/gres.conf"
# config_overrides: the node offers what is written here, whatever the machine has. Memory and CPUs are not enforced.
# MinJobAge keeps finished jobs known to scontrol and squeue: there is no database that would remember them.
# SlurmctldDebug=debug2: its log says when it looks at the time limits of jobs, every 30 seconds.
cat >"$folder/slurm.conf" <<CONFIGURATION
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmctldDebug=debug2
SlurmdLogFile=$folder/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
MinJobAge=3600
KillWait=10
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/completed_jobs.txt
GresTypes=gpu
NodeName=$node NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes=$node Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=$node MaxTime=INFINITE State=UP
CONFIGURATION
ln -s "$folder/slurm.conf" /etc/slurm/slurm.conf
ln -s "$folder/gres.conf" /etc/slurm/gres.conf

launch munged munged --foreground --force --socket "$folder/munge.socket" --key-file "$folder/munge.key" \
  --pid-file "$folder/munged.pid" --seed-file "$folder/munge.seed" --log-file "$folder/munged.log"
within 10 test -S "$folder/munge.socket" || fail "munged did not start, see $folder/munged.out"
launch slurmctld slurmctld -D -i -f "$folder/slurm.conf"
launch slurmd slurmd -D -f "$folder/slurm.conf"
within 30 node_is_idle || fail "the node did not become idle, see $folder/slurmctld.log and $folder/slurmd.log"
echo ready

cat <&0 >/dev/null &
wait $! # unlike cat itself, it lets a signal through
