"""The metal's plasmon: gain on both sides of the laser, and light of the metal itself."""
