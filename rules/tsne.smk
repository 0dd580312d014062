# t-SNE maps of test images, made of what the experiments learned, and of the layers of networks.


rule embed_tsne:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        test_sample="results/{study}/test_sample.csv",
        representations=lambda wildcards: list(representations(wildcards.study).values()),
        linked_features=lambda wildcards: linked_features(wildcards.study),
    output:
        embedding="results/{study}/tsne.csv",
        clustering=reported_table("clustering.csv", "clustering", "clustering of test images"),
    log:
        "results/logs/{study}/embed_tsne.log",
    benchmark:
        "results/benchmarks/{study}/embed_tsne.jsonl"
    priority: 1
    conda:
        environment("train")
    resources:
        mem_mb=memory(4000),
        runtime=run_time(hours=1),
    params:
        code=code_digest("embed_tsne"),
        program=program("embed_tsne"),
        representations=representation_options,
        options=planning.command_line(FIGURES, ("perplexity", "neighbors")),
    shell:
        "python {params.program:q} --images {input.images} --test-sample {input.test_sample}"
        " {params.representations} {params.options}"
        " --embedding {output.embedding} --clustering {output.clustering} 2> {log}"


rule plot_tsne:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        embedding="results/{study}/tsne.csv",
        clustering="results/{study}/clustering.csv",
    output:
        figures=reported_figures("tsne", "t-SNE of {experiment}"),
        checksums="results/{study}/figures/tsne.sha256",
    log:
        "results/logs/{study}/plot_tsne.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_tsne"),
        program=program("plot_tsne"),
        files=figure_files("tsne"),
        representations=names_of_each("tsne"),
    shell:
        "python {params.program:q} --images {input.images} --embedding {input.embedding} --clustering {input.clustering}"
        " --representation {params.representations} {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"


rule plot_layers:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        embedding="results/{study}/tsne.csv",
        clustering="results/{study}/clustering.csv",
    output:
        figures=reported_figures("layers", "t-SNE of the layers of {experiment}"),
        checksums="results/{study}/figures/layers.sha256",
    log:
        "results/logs/{study}/plot_layers.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_layers"),
        program=program("plot_layers"),
        files=figure_files("layers"),
        representations=names_of_each("layers"),
    shell:
        "python {params.program:q} --images {input.images} --embedding {input.embedding} --clustering {input.clustering}"
        " --representation {params.representations} {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"
