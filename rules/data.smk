# Data sets: one HDF5 file with images, one with the sealed test labels.


rule download:
    output:
        "resources/{dataset}/{file}",
    log:
        "results/logs/download/{dataset}/{file}.log",
    wildcard_constraints:
        dataset="stl10|mnist",
        file="|".join([*DATA["stl10"]["files"], *DATA["mnist"]["files"]]),
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        runtime=run_time(hours=8),
    params:
        program=program("download"),
        urls=source_urls,
        md5=lambda wildcards: DATA[wildcards.dataset]["files"][wildcards.file],
    shell:
        "python {params.program:q} --url {params.urls:q} --md5 {params.md5}"
        " --partial resources/{wildcards.dataset}/.{wildcards.file}.part --output {output} 2> {log}"


rule prepare_stl10:
    input:
        "resources/stl10/stl10_binary.tar.gz",
    output:
        images="results/{study}/data/images.h5",
        test_labels="results/{study}/data/test_labels.h5",
    log:
        "results/logs/{study}/prepare_stl10.log",
    benchmark:
        "results/benchmarks/{study}/prepare_stl10.jsonl"
    wildcard_constraints:
        study=studies_of("stl10"),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(hours=1),
    params:
        code=code_digest("prepare_stl10"),
        program=program("prepare_stl10"),
        members=member_checksums("stl10"),
        sizes=size_options("stl10"),
    shell:
        "python {params.program:q} --archive {input} --member-md5 {params.members} {params.sizes}"
        " --images {output.images} --test-labels {output.test_labels} 2> {log}"


rule prepare_mnist:
    input:
        train_images="resources/mnist/train-images-idx3-ubyte.gz",
        train_labels="resources/mnist/train-labels-idx1-ubyte.gz",
        test_images="resources/mnist/t10k-images-idx3-ubyte.gz",
        test_labels="resources/mnist/t10k-labels-idx1-ubyte.gz",
    output:
        images="results/{study}/data/images.h5",
        test_labels="results/{study}/data/test_labels.h5",
    log:
        "results/logs/{study}/prepare_mnist.log",
    benchmark:
        "results/benchmarks/{study}/prepare_mnist.jsonl"
    wildcard_constraints:
        study=studies_of("mnist"),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("prepare_mnist"),
        program=program("prepare_mnist"),
        members=member_checksums("mnist"),
        sizes=size_options("mnist"),
    shell:
        "python {params.program:q} --train-images-file {input.train_images}"
        " --train-labels-file {input.train_labels} --test-images-file {input.test_images}"
        " --test-labels-file {input.test_labels} --member-md5 {params.members} {params.sizes}"
        " --images {output.images} --test-labels {output.test_labels} 2> {log}"


rule prepare_photos:
    output:
        images="results/{study}/data/images.h5",
        test_labels="results/{study}/data/test_labels.h5",
    log:
        "results/logs/{study}/prepare_photos.log",
    benchmark:
        "results/benchmarks/{study}/prepare_photos.jsonl"
    wildcard_constraints:
        study=studies_of("photos"),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("prepare_photos"),
        program=program("prepare_photos"),
        sizes=size_options("photos"),
    shell:
        "python {params.program:q} {params.sizes}"
        " --images {output.images} --test-labels {output.test_labels} 2> {log}"


rule prepare_mnist5k:
    output:
        images="results/{study}/data/images.h5",
        test_labels="results/{study}/data/test_labels.h5",
    log:
        "results/logs/{study}/prepare_mnist5k.log",
    benchmark:
        "results/benchmarks/{study}/prepare_mnist5k.jsonl"
    wildcard_constraints:
        study=studies_of("mnist5k"),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("prepare_mnist5k"),
        program=program("prepare_mnist5k"),
        sizes=size_options("mnist5k"),
    shell:
        "python {params.program:q} {params.sizes}"
        " --images {output.images} --test-labels {output.test_labels} 2> {log}"
