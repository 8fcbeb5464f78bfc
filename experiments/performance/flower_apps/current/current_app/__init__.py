"""A Flower app of the message API: softmax regression on scikit-learn's digits, in NumPy."""
