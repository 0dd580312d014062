# The sealed test set: `evaluate` is the only rule that takes test labels. Kaggle files need scores only.


rule evaluate:
    input:
        scores=study_scores,
        solver_scores=study_solver_scores,
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        test_labels="results/{study}/data/test_labels.h5",
    output:
        metrics=reported_table("metrics.csv", "metrics", "every run"),
        per_class=reported_table("per_class.csv", "per_class", "accuracy of each class"),
        confusion=reported_table("confusion.csv", "confusion_table", "confused classes"),
        comparison=reported_table("comparison.csv", "comparison", "comparison of the experiments"),
        label_curve=reported_table("label_curve.csv", "label_curve_table", "accuracy against labels"),
        solver_iterations=reported_table("solver_iterations.csv", "solver_table", "accuracy over solver steps"),
        test_sample="results/{study}/test_sample.csv",
    log:
        "results/logs/{study}/evaluate.log",
    benchmark:
        "results/benchmarks/{study}/evaluate.jsonl"
    priority: 1
    conda:
        environment("train")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("evaluate"),
        program=program("evaluate"),
        baselines=baselines,
        options=planning.command_line(CONFIG["evaluation"], tuple(CONFIG["evaluation"])),
        sample_images=FIGURES["tsne_images"],
    shell:
        "python {params.program:q} --scores {input.scores} --solver-scores {input.solver_scores}"
        " --images {input.images} --test-labels {input.test_labels} --baselines {params.baselines} {params.options}"
        " --sample-images {params.sample_images} --test-sample {output.test_sample}"
        " --metrics {output.metrics} --per-class {output.per_class} --confusion {output.confusion}"
        " --comparison {output.comparison} --label-curve {output.label_curve}"
        " --solver-iterations {output.solver_iterations} 2> {log}"


rule write_predictions:
    input:
        scores=first_seed_scores,
    output:
        predictions=directory("results/{study}/predictions"),
    log:
        "results/logs/{study}/write_predictions.log",
    conda:
        environment("train")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("write_predictions"),
        program=program("write_predictions"),
        tables=prediction_tables,
    shell:
        "python {params.program:q} --scores {input.scores} --predictions {params.tables} 2> {log}"


# Cards tell test accuracies, so they lie outside the folders of runs, where nothing has seen a test label.
rule write_model_cards:
    input:
        models=models_with_cards,
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        metrics="results/{study}/metrics.csv",
        comparison="results/{study}/comparison.csv",
        per_class="results/{study}/per_class.csv",
    output:
        cards=directory("results/{study}/model_cards"),
    log:
        "results/logs/{study}/write_model_cards.log",
    conda:
        environment("train")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("write_model_cards"),
        program=program("write_model_cards"),
        cards=card_files,
        plan=card_plan,
    shell:
        "python {params.program:q} --models {input.models} --images {input.images} --metrics {input.metrics}"
        " --comparison {input.comparison} --per-class {input.per_class} --plan -"
        " --cards {params.cards:q} <<< {params.plan:q} 2> {log}"
