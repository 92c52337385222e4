"""Engines, which compute the geometry, the Hessian and the polarizability of molecules."""
