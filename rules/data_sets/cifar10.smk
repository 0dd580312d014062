# Data set cifar10: the official archive.
from data_sets.cifar10 import Cifar10Split


rule prepare_cifar10:
    input:
        downloaded("cifar-10-binary.tar.gz"),
    output:
        images="results/{study}/data/images.h5",
        images_checksum="results/{study}/data/images.sha256",
        test_labels="results/{study}/data/test_labels.h5",
    log:
        "results/logs/{study}/prepare_cifar10.log",
    benchmark:
        "results/benchmarks/{study}/prepare_cifar10.jsonl"
    wildcard_constraints:
        study=studies_of("cifar10"),
    conda:
        environment("data")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(hours=1),
    params:
        code=code_digest("prepare_cifar10"),
        program=program("prepare_cifar10"),
        sizes=data_options_of(Cifar10Split),
        copies=copies_left_out,
    shell:
        "python {params.program:q} --archive {input} {params.sizes}"
        " {params.copies} --images {output.images} --test-labels {output.test_labels} 2> {log}"
        " && sha256sum {output.images} > {output.images_checksum} 2>> {log}"
