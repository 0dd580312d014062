# Data set photos: crops of photographs that come with the packages.
from data_sets.declare import FoldValidation
from data_sets.photos import PhotosSplit


rule prepare_photos:
    output:
        images="results/{study}/data/images.h5",
        images_checksum="results/{study}/data/images.sha256",
        test_labels="results/{study}/data/test_labels.h5",
    log:
        "results/logs/{study}/prepare_photos.log",
    benchmark:
        "results/benchmarks/{study}/prepare_photos.jsonl"
    wildcard_constraints:
        study=studies_of("photos"),
    conda:
        environment("data")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("prepare_photos"),
        program=program("prepare_photos"),
        sizes=data_options_of(PhotosSplit, FoldValidation),
        copies=copies_left_out,
    shell:
        "python {params.program:q} {params.sizes}"
        " {params.copies} --images {output.images} --test-labels {output.test_labels} 2> {log}"
        " && sha256sum {output.images} > {output.images_checksum} 2>> {log}"
