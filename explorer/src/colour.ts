/** Colours: maps whose order is plain to everybody, also without colour vision. */

type Rgb = [number, number, number];

// coefficients, constant first, of polynomials through matplotlib's tables of 256 colours;
// at most 0.02 (viridis) and 0.05 (cividis) from them, of 1
const POLYNOMIALS: Record<string, number[][]> = {
  viridis: [
    [0.2745, 0.1077, -0.3272, -4.5999, 6.2037, 4.7518, -5.4321],
    [0.0058, 1.3965, 0.2148, -5.7582, 14.154, -13.7494, 4.6416],
    [0.3327, 1.3868, 0.092, -19.2918, 56.6563, -65.321, 26.2721],
  ],
  cividis: [
    [-0.009, -0.3847, 15.4292, -58.977, 102.3705, -83.1872, 25.7761],
    [0.1368, 0.6395, 0.3856, -1.4042, 2.6009, -2.1408, 0.6881],
    [0.2942, 2.9827, -22.3638, 74.8636, -121.3032, 93.9742, -28.2625],
  ],
  grey: [[0, 1], [0, 1], [0, 1]],
};

export const COLOUR_MAPS = Object.keys(POLYNOMIALS);

/** Return 256 colours, red, green and blue from 0 to 255. */
export function colours(name: string): Rgb[] {
  const channels = POLYNOMIALS[name] ?? POLYNOMIALS.viridis;
  return Array.from({ length: 256 }, (_, k) => channels.map((coefficients) => {
    const value = coefficients.reduceRight((sum, one) => sum * (k / 255) + one, 0);
    return Math.round(255 * Math.min(1, Math.max(0, value)));
  }) as Rgb);
}

export const isDark = (): boolean => matchMedia("(prefers-color-scheme: dark)").matches;

/** Return a colour of the style sheet. */
export const styled = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Return the colour of line k: Okabe and Ito's, lighter on dark ground. */
export const lineColour = (k: number): string => styled(`line-${k % 6}`);
