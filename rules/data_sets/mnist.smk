# Data set mnist: the four idx files.
from data_sets.mnist import MnistSplit


rule prepare_mnist:
    input:
        train_images=downloaded("train-images-idx3-ubyte.gz"),
        train_labels=downloaded("train-labels-idx1-ubyte.gz"),
        test_images=downloaded("t10k-images-idx3-ubyte.gz"),
        test_labels=downloaded("t10k-labels-idx1-ubyte.gz"),
    output:
        images="results/{study}/data/images.h5",
        images_checksum="results/{study}/data/images.sha256",
        test_labels="results/{study}/data/test_labels.h5",
    log:
        "results/logs/{study}/prepare_mnist.log",
    benchmark:
        "results/benchmarks/{study}/prepare_mnist.jsonl"
    wildcard_constraints:
        study=studies_of("mnist"),
    conda:
        environment("data")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("prepare_mnist"),
        program=program("prepare_mnist"),
        members=member_checksums,
        sizes=data_options_of(MnistSplit),
        copies=copies_left_out,
    shell:
        "python {params.program:q} --train-images-file {input.train_images}"
        " --train-labels-file {input.train_labels} --test-images-file {input.test_images}"
        " --test-labels-file {input.test_labels} --member-md5 {params.members} {params.sizes}"
        " {params.copies} --images {output.images} --test-labels {output.test_labels} 2> {log}"
        " && sha256sum {output.images} > {output.images_checksum} 2>> {log}"
