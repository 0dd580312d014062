# The theory of the report: derivations checked by machine, and small experiments on the digits of scikit-learn.


rule check_derivations:
    output:
        derivations=reported_theory("derivations.csv", "derivations and their checks"),
        source_errors=reported_theory("source_errors.csv", "what the sources have wrong"),
        examples="results/theory/examples.json",
    log:
        "results/logs/theory/check_derivations.log",
    conda:
        environment("train")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("check_derivations"),
        program=program("check_derivations"),
        points=THEORY["points"],
    shell:
        "python {params.program:q} --points {params.points} --seed 0 --derivations {output.derivations}"
        " --source-errors {output.source_errors} --examples {output.examples} 2> {log}"


rule compare_momentum:
    output:
        table=reported_theory("momentum.csv", "momentum, the numbers"),
        pdf="results/theory/momentum.pdf",
        png=reported_theory("momentum.png", "momentum"),
    log:
        "results/logs/theory/compare_momentum.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("compare_momentum"),
        program=program("compare_momentum"),
        seeds=THEORY["seeds"],
    shell:
        "python {params.program:q} --seeds {params.seeds} --table {output.table} --pdf {output.pdf}"
        " --png {output.png} 2> {log}"


rule compare_dropout:
    output:
        table=reported_theory("dropout.csv", "dropout, the numbers"),
        ensemble=reported_theory("dropout_ensemble.csv", "ensemble of thinned networks"),
        pdf="results/theory/dropout.pdf",
        png=reported_theory("dropout.png", "dropout"),
    log:
        "results/logs/theory/compare_dropout.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("compare_dropout"),
        program=program("compare_dropout"),
        seeds=THEORY["seeds"],
    shell:
        "python {params.program:q} --seeds {params.seeds} --table {output.table}"
        " --ensemble {output.ensemble} --pdf {output.pdf} --png {output.png} 2> {log}"


rule compare_initialization:
    output:
        table=reported_theory("initialization.csv", "initialization, the numbers"),
        pdf="results/theory/initialization.pdf",
        png=reported_theory("initialization.png", "initialization"),
    log:
        "results/logs/theory/compare_initialization.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("compare_initialization"),
        program=program("compare_initialization"),
        seeds=THEORY["seeds"],
    shell:
        "python {params.program:q} --seeds {params.seeds} --table {output.table} --pdf {output.pdf}"
        " --png {output.png} 2> {log}"


rule compare_crowding:
    output:
        table=reported_theory("crowding.csv", "crowding, the numbers"),
        distances=reported_theory("crowding_distances.csv", "pairwise distances in the maps"),
        pdf="results/theory/crowding.pdf",
        png=reported_theory("crowding.png", "crowding"),
    log:
        "results/logs/theory/compare_crowding.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("compare_crowding"),
        program=program("compare_crowding"),
        seeds=THEORY["seeds"],
    shell:
        "python {params.program:q} --seeds {params.seeds} --table {output.table}"
        " --distances {output.distances} --pdf {output.pdf} --png {output.png} 2> {log}"
