# What has become of a job of PBS, in the words of Snakemake: sh status.sh NUMBER.
said=$(qstat -x -f "$1" 2>&1)
code=$?
if printf '%s' "$said" | grep -q 'Unknown Job Id'; then
  echo failed # lost: Snakemake submits it again
elif [ "$code" -ne 0 ]; then
  echo running # the scheduler does not answer: it is asked again
elif ! printf '%s' "$said" | grep -q 'job_state = F'; then
  echo running
elif printf '%s\n' "$said" | grep -q 'Exit_status = 0$'; then
  echo success
else
  echo failed
fi
