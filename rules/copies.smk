# Near copies between the splits of a data set. Images alone are compared: no rule here takes a label of the test set.
from data_sets.declare import CopyCorrelation


rule find_copies:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
    output:
        pairs=reported_table("near_copies.csv", "near_copies_table", "near copies, pair by pair"),
        counts=reported_table("near_copy_counts.csv", "near_copy_counts", "near copies, counted"),
    log:
        "results/logs/{study}/find_copies.log",
    benchmark:
        "results/benchmarks/{study}/find_copies.jsonl"
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("find_copies"),
        program=program("find_copies"),
        options=data_options_of(CopyCorrelation),
    shell:
        "python {params.program:q} --images {input.images} {params.options}"
        " --pairs {output.pairs} --counts {output.counts} 2> {log}"


rule plot_copies:
    input:
        pairs="results/{study}/near_copies.csv",
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
    output:
        pdf="results/{study}/figures/near_copies.pdf",
        png=reported_figure("near_copies", "near copies of test images"),
    log:
        "results/logs/{study}/figures/plot_copies.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_copies"),
        program=program("plot_copies"),
    shell:
        "python {params.program:q} --pairs {input.pairs} --images {input.images}"
        " --pdf {output.pdf} --png {output.png} 2> {log}"
