# Data set mnist5k: digits that come with a package.
from data_sets.mnist5k import Mnist5kSplit


rule prepare_mnist5k:
    output:
        images="results/{study}/data/images.h5",
        images_checksum="results/{study}/data/images.sha256",
        test_labels="results/{study}/data/test_labels.h5",
    log:
        "results/logs/{study}/prepare_mnist5k.log",
    benchmark:
        "results/benchmarks/{study}/prepare_mnist5k.jsonl"
    wildcard_constraints:
        study=studies_of("mnist5k"),
    conda:
        environment("data")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("prepare_mnist5k"),
        program=program("prepare_mnist5k"),
        sizes=data_options_of(Mnist5kSplit),
        copies=copies_left_out,
    shell:
        "python {params.program:q} {params.sizes}"
        " {params.copies} --images {output.images} --test-labels {output.test_labels} 2> {log}"
        " && sha256sum {output.images} > {output.images_checksum} 2>> {log}"
