"""Measure and train cross-lingual alignment between Swahili and English inside a language model."""
