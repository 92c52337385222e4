/** Half-precision numbers; read from their bits, as not every browser has Float16Array. */

const VALUES = new Float32Array(65536);
for (let bits = 0; bits < 65536; bits++) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size =
    exponent === 31 ? (fraction ? NaN : Infinity)
    : exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024)
    : 2 ** -24 * fraction;
  VALUES[bits] = bits & 32768 ? -size : size;
}

export function fromHalf(bits: Uint16Array): Float32Array {
  const values = new Float32Array(bits.length);
  for (let k = 0; k < bits.length; k++) values[k] = VALUES[bits[k]];
  return values;
}
