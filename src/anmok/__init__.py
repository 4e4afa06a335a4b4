"""anmok (안목, "a discerning eye"): from a folder of pictures to a trained, measured, explained network."""

__version__ = "0.1.0"
