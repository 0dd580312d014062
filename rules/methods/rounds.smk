# Methods pseudo_label_rounds and kmeans_rounds: pseudo-labels are accepted round by round.
from methods.rounds import PseudoLabelRoundsTraining, Rounds


rule train_pseudo_label_rounds:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        base_model=of_base("model.h5"),
    output:
        model="results/{study}/{experiment}/{run}/model.h5",
        scores="results/{study}/{experiment}/{run}/scores.npz",
        history="results/{study}/{experiment}/{run}/history.csv",
        selection="results/{study}/{experiment}/{run}/selection.csv",
        accepted="results/{study}/{experiment}/{run}/accepted.csv",
        held_out="results/{study}/{experiment}/{run}/held_out.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/train_pseudo_label_rounds.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/train_pseudo_label_rounds.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("pseudo_label_rounds"),
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(12000),
        runtime="8h",
    params:
        code=code_with_network("train_pseudo_label_rounds"),
        program=program("train_pseudo_label_rounds"),
        options=options_of(PseudoLabelRoundsTraining),
        checkpoint=checkpoint_folder("train_pseudo_label_rounds"),
        seed=training_seed,
    shell:
        "python {params.program:q} --images {input.images} --run {wildcards.run}"
        " --base-model {input.base_model} {params.options}"
        " --seed {params.seed} --checkpoint {params.checkpoint} --code {params.code} --model {output.model}"
        " --scores {output.scores} --history {output.history} --selection {output.selection}"
        " --accepted-table {output.accepted} --held-out-table {output.held_out} --gpu {resources.gpu} 2> {log}"


rule train_kmeans_rounds:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        features=of_base("features.h5"),
        linked_features=for_each_epsilon("features.h5", base_of),  # features.h5 holds links to one of them
        base_model=of_base("model.h5"),
        base_selection=of_base("selection.csv"),
    output:
        model="results/{study}/{experiment}/{run}/model.h5",
        scores="results/{study}/{experiment}/{run}/scores.npz",
        history="results/{study}/{experiment}/{run}/history.csv",
        selection="results/{study}/{experiment}/{run}/selection.csv",
        accepted="results/{study}/{experiment}/{run}/accepted.csv",
        held_out="results/{study}/{experiment}/{run}/held_out.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/train_kmeans_rounds.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/train_kmeans_rounds.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("kmeans_rounds"),
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(12000),
        runtime="8h",
    params:
        code=code_digest("train_kmeans_rounds"),
        program=program("train_kmeans_rounds"),
        options=options_of(Rounds),
        checkpoint=checkpoint_folder("train_kmeans_rounds"),
        seed=training_seed,
    shell:
        "python {params.program:q} --images {input.images} --run {wildcards.run} --features {input.features}"
        " --base-model {input.base_model} --base-selection {input.base_selection} {params.options}"
        " --seed {params.seed} --checkpoint {params.checkpoint} --code {params.code} --model {output.model}"
        " --scores {output.scores} --history {output.history} --selection {output.selection}"
        " --accepted-table {output.accepted} --held-out-table {output.held_out} --gpu {resources.gpu} 2> {log}"
