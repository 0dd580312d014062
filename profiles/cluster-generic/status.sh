# What has become of a job of PBS, in the words of Snakemake: sh status.sh NUMBER.
if said=$(qstat -x -f "$1" 2>&1); then
  if ! printf '%s\n' "$said" | grep -q 'job_state = F'; then
    echo running
  elif printf '%s\n' "$said" | grep -q 'Exit_status = 0$'; then
    echo success
  else
    echo failed
  fi
else
  case $said in
  *'Unknown Job Id'*) echo failed ;; # lost: Snakemake submits it again
  *'job history'*)
    # Nobody would know how a job ended. An exit code other than 0 stops Snakemake.
    echo "error: $said: ask for job_history_enable, or write another status.sh" >&2
    exit 1
    ;;
  *) echo running ;; # the scheduler does not answer: it is asked again
  esac
fi
