"""Every private name of Flower, in one file; and what older Flower apps need."""
