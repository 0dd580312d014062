# The report: provenance, the text with its numbers, the PDF; and the page.


rule plot_rulegraph:
    output:
        pdf="results/report/rulegraph.pdf",
        png=report(
            "results/report/rulegraph.png",
            caption="../report/captions/rulegraph.rst",
            category="Provenance",
            labels={"result": "rules and what they pass on"},
        ),
    log:
        "results/logs/report/plot_rulegraph.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_rulegraph"),
        program=program("plot_rulegraph"),
        config=lambda wildcards: json.dumps(config),
        snakefile=lambda wildcards, output: str(CLONE / "Snakefile"),
    shell:
        "python {params.program:q} --snakefile {params.snakefile:q} --config {params.config:q}"
        " --pdf {output.pdf} --png {output.png} 2> {log}"


rule count_operations:
    input:
        models=models_with_cards,
    output:
        operations=reported_table("operations.csv", "operations", "operations of a forward pass"),
    log:
        "results/logs/{study}/count_operations.log",
    conda:
        environment("train")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        # Readers of models and networks are found by name and do not count: another one changes the models too.
        code=code_digest("count_operations"),
        program=program("count_operations"),
    shell:
        "python {params.program:q} --models {input.models} --operations {output.operations} 2> {log}"


rule collect_provenance:
    input:
        study_results,
        ancient(predictions()),  # to be the last one
        ancient(model_cards()),
        learned=learned_files,
    output:
        provenance="results/report/provenance.json",
        timings=report(
            "results/report/timings.csv",
            caption="../report/captions/timings.rst",
            category="Provenance",
            labels={"result": "seconds and memory of each rule"},
        ),
    log:
        "results/logs/report/collect_provenance.log",
    conda:
        environment("train")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("collect_provenance"),
        program=program("collect_provenance"),
        studies=list(CONFIG["studies"]),
        repository=lambda wildcards, output: str(CLONE),
        benchmarks=lambda wildcards, output: str(Path(output.provenance).parents[1] / "benchmarks"),
    shell:
        "python {params.program:q} --repository {params.repository:q} --benchmarks {params.benchmarks:q}"
        " --studies {params.studies} --learned {input.learned} --provenance {output.provenance}"
        " --timings {output.timings} 2> {log}"


rule render_report:
    input:
        results=study_results,
        theory=theory_results(),
        images=ancient(expand("results/{study}/data/images.h5", study=CONFIG["studies"])),
        images_checksums=expand("results/{study}/data/images.sha256", study=CONFIG["studies"]),
        networks=first_networks,
        rulegraph="results/report/rulegraph.pdf",
        provenance="results/report/provenance.json",
        timings="results/report/timings.csv",
    output:
        tex="results/report/report.tex",
        supplement="results/report/supplement.tex",
        bibliography="results/report/references.bib",
    log:
        "results/logs/report/render_report.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("render_report", by_name=["reporting/methods"]),
        program=program("render_report"),
        texts=report_texts("report.tex", "supplement.tex", "references.bib", "published.yaml", *included_texts()),
        sources=report_files("report.tex", "supplement.tex", "references.bib", "published.yaml"),
        plan=report_plan,
        results=lambda wildcards, output: str(Path(output.tex).parents[1]),
    shell:
        "python {params.program:q} --plan - --results {params.results:q} --provenance {input.provenance}"
        " --timings {input.timings} --sources {params.sources:q} --tex {output.tex}"
        " --supplement {output.supplement} --bibliography {output.bibliography} <<< {params.plan:q} 2> {log}"


rule typeset_report:
    input:
        tex="results/report/report.tex",
        supplement="results/report/supplement.tex",
        bibliography="results/report/references.bib",
        figures=lambda wildcards: [
            path for path in study_results() + theory_results() if Path(path).suffix in ("", ".sha256", ".pdf")
        ],
        rulegraph="results/report/rulegraph.pdf",
    output:
        pdf="results/report/typeset/report.pdf",
        supplement="results/report/typeset/supplement.pdf",
    log:
        "results/logs/report/typeset_report.log",
    localrule: True
    conda:
        environment("latex")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("typeset_report"),
        program=program("typeset_report"),
    shell:
        "python {params.program:q} --tex {input.tex} {input.supplement} --pdf {output.pdf} {output.supplement} 2> {log}"


# Apart, because Snakemake deletes what a job is to make, and LaTeX may fail.
rule publish_report:
    input:
        pdf="results/report/typeset/report.pdf",
        supplement="results/report/typeset/supplement.pdf",
    output:
        pdf=report(
            "results/report/report.pdf",
            caption="../report/captions/report.rst",
            category="Report",
            labels={"result": "the paper, as a PDF"},
        ),
        supplement=report(
            "results/report/supplement.pdf",
            caption="../report/captions/supplement.rst",
            category="Report",
            labels={"result": "its supplement, as a PDF"},
        ),
    log:
        "results/logs/report/publish_report.log",
    localrule: True
    conda:
        environment("latex")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    shell:
        "{{ cp {input.pdf:q} {output.pdf:q} && cp {input.supplement:q} {output.supplement:q}; }} 2> {log:q}"


rule render_page:
    input:
        results=page_results,
        provenance="results/report/provenance.json",
        timings="results/report/timings.csv",
    output:
        page=report(
            "results/report/index.html",
            caption="../report/captions/page.rst",
            category="Report",
            labels={"result": "the page, to read in a browser"},
        ),
    log:
        "results/logs/report/render_page.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("render_page"),
        program=program("render_page"),
        texts=report_texts(*page_texts()),
        sources=report_files("page.html", "published.yaml"),
        plan=page_plan,
        again=command_again,
        results=lambda wildcards, output: str(Path(output.page).parents[1]),
    shell:
        "python {params.program:q} --plan - --results {params.results:q} --provenance {input.provenance}"
        " --timings {input.timings} --sources {params.sources:q} --command {params.again:q} --page {output.page} <<< {params.plan:q} 2> {log}"
