# The files that data sets are made from.
import re


rule download:
    output:
        "resources/{dataset}/{file}",
    log:
        "results/logs/download/{dataset}/{file}.log",
    wildcard_constraints:
        dataset="|".join(DOWNLOADED) or "no_data_set_that_is_downloaded",
        file="|".join(re.escape(file) for source in DOWNLOADED.values() for file in source["files"]) or "no_file",
    localrule: True
    conda:
        environment("data")
    resources:
        runtime=run_time(hours=8),
    params:
        program=program("download"),
        urls=source_urls,
        partial=lambda wildcards, output: str(Path(output[0]).with_name(f".{wildcards.file}.part")),
        md5=lambda wildcards: DOWNLOADED[wildcards.dataset]["files"][wildcards.file],
    shell:
        "python {params.program:q} --url {params.urls:q} --md5 {params.md5}"
        " --partial {params.partial:q} --output {output} 2> {log}"
