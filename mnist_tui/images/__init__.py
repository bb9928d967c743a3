"""Digits that a person draws or photographs, made into images as MNIST has them. No torch."""
