"""What a spectrometer and its detector do to a spectrum."""
