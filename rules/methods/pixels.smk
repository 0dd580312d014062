# Method pixels: raw pixels and a support vector machine.
from methods.pixels import PixelsSvm


rule train_pixels:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
    output:
        model="results/{study}/{experiment}/{run}/model.h5",
        scores="results/{study}/{experiment}/{run}/scores.npz",
        selection="results/{study}/{experiment}/{run}/selection.csv",
        history="results/{study}/{experiment}/{run}/history.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/train_pixels.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/train_pixels.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("pixels"),
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        mem_mb=memory(4000),
        runtime=run_time(hours=1),
    params:
        code=code_digest("train_pixels"),
        program=program("train_pixels"),
        options=options_of(PixelsSvm),
        seed=training_seed,
    shell:
        "python {params.program:q} --images {input.images} --run {wildcards.run} {params.options} --seed {params.seed}"
        " --model {output.model} --scores {output.scores} --selection {output.selection}"
        " --history {output.history} 2> {log}"
