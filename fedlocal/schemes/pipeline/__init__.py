"""The pipeline: loaders, forward and backward actors, in stages."""
