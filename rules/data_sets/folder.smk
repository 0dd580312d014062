# Data set folder: pictures of one's own. A digest of their listing is a param, so that changed pictures are read again.
from data_sets.folder import FolderSplit


rule prepare_folder:
    output:
        images="results/{study}/data/images.h5",
        images_checksum="results/{study}/data/images.sha256",
        test_labels="results/{study}/data/test_labels.h5",
    log:
        "results/logs/{study}/prepare_folder.log",
    benchmark:
        "results/benchmarks/{study}/prepare_folder.jsonl"
    wildcard_constraints:
        study=studies_of("folder"),
    conda:
        environment("data")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(hours=1),
    params:
        code=code_digest("prepare_folder"),
        program=program("prepare_folder"),
        sizes=data_options_of(FolderSplit),
        copies=copies_left_out,
        listing=listing_of("pictures", "unlabeled", "test"),
    shell:
        "python {params.program:q} {params.sizes} --listing {params.listing}"
        " {params.copies} --images {output.images} --test-labels {output.test_labels} 2> {log}"
        " && sha256sum {output.images} > {output.images_checksum} 2>> {log}"
