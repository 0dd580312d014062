#!/bin/sh
#PBS -S /bin/sh
# properties = {properties}
# A job of PBS has the PATH of a login. That of qsub is in PBS_O_PATH: with it `python` is the one that runs Snakemake.
[ -z "$PBS_O_PATH" ] || export PATH="$PBS_O_PATH"
{exec_job}
