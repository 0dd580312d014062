# Method external: scores that were made elsewhere.


rule take_external_scores:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        external=path_in_option("scores"),
    output:
        scores="results/{study}/{experiment}/{run}/scores.npz",
        selection="results/{study}/{experiment}/{run}/selection.csv",
        history="results/{study}/{experiment}/{run}/history.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/take_external_scores.log",
    wildcard_constraints:
        experiment=experiment_pattern("external"),
    conda:
        environment("train")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("take_external_scores"),
        program=program("take_external_scores"),
    shell:
        "python {params.program:q} --images {input.images} --run {wildcards.run} --external {input.external:q}"
        " --scores {output.scores} --selection {output.selection} --history {output.history} 2> {log}"
