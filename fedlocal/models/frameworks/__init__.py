"""Models of PyTorch, Keras and scikit-learn."""
