"""Names of the projections of the space onto a plane: a file of its own, as the page has them before PyTorch."""

PROJECTIONS = ("PCA", "t-SNE", "UMAP")
