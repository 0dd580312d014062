# Data set stl10: the official archive.
from data_sets.declare import FoldValidation
from data_sets.stl10 import Stl10Split


rule prepare_stl10:
    input:
        ancient(downloaded("stl10_binary.tar.gz")),  # params have the checksums of what is in it
    output:
        images="results/{study}/data/images.h5",
        images_checksum="results/{study}/data/images.sha256",
        test_labels="results/{study}/data/test_labels.h5",
    log:
        "results/logs/{study}/prepare_stl10.log",
    benchmark:
        "results/benchmarks/{study}/prepare_stl10.jsonl"
    wildcard_constraints:
        study=studies_of("stl10"),
    conda:
        environment("data")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(hours=1),
    params:
        code=code_digest("prepare_stl10"),
        program=program("prepare_stl10"),
        members=member_checksums,
        sizes=data_options_of(Stl10Split, FoldValidation),
        copies=copies_left_out,
    shell:
        "python {params.program:q} --archive {input} --member-md5 {params.members} {params.sizes}"
        " {params.copies} --images {output.images} --test-labels {output.test_labels} 2> {log}"
        " && sha256sum {output.images} > {output.images_checksum} 2>> {log}"
