"""Make meep_dipole.h5 with Meep (Debian: apt install python3-meep): a dipole in front of nothing.

A point dipole along z oscillates at a wavelength of 100 units, in cells of 1/4 unit, and Meep
writes the complex field below it with output_dft. Near it the field is that of a static dipole, so
there is a formula to compare with. One unit stands for 4 Angstrom.

Run: python3 make_meep_field.py FOLDER
"""

import os
import sys

RESOLUTION = 4
FREQUENCY = 0.01


def main() -> None:
    """Run the simulation, a few seconds."""
    import meep as mp

    os.chdir(sys.argv[1])
    mp.verbosity(0)
    simulation = mp.Simulation(
        cell_size=mp.Vector3(14, 14, 14),
        boundary_layers=[mp.PML(2.0)],
        sources=[
            mp.Source(
                mp.GaussianSource(FREQUENCY, fwidth=FREQUENCY), component=mp.Ez, center=mp.Vector3()
            )
        ],
        symmetries=[mp.Mirror(mp.X), mp.Mirror(mp.Y)],
        resolution=RESOLUTION,
    )
    volume = mp.Volume(center=mp.Vector3(0, 0, -2.0), size=mp.Vector3(3, 3, 1.5))
    fields = simulation.add_dft_fields([mp.Ex, mp.Ey, mp.Ez], FREQUENCY, 0, 1, where=volume)
    simulation.run(until_after_sources=50)
    simulation.output_dft(fields, "meep_dipole")
    x, y, z, _ = simulation.get_array_metadata(dft_cell=fields)
    sys.stdout.write("\n".join(f"{axis[0]} {axis[-1]} {len(axis)}" for axis in (x, y, z)) + "\n")


if __name__ == "__main__":
    main()
