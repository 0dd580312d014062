"""The families of experiments, by what they learn from. Knows nothing of matplotlib, so that programs start at once."""

# What a family of experiments learns from: words, colour, marker. An experiment of none is drawn in grey.
FAMILIES = {
    "labels": ("labels only", "#D55E00", "o"),
    "features": ("features learned without labels", "#0072B2", "s"),
    "beside": ("labels and unlabelled images", "#009E73", "D"),
    "other": ("scores made elsewhere", "#7F7F7F", "v"),
}
