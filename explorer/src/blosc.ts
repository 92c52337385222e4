/**
 * Chunks compressed by blosc 1 with LZ4, in JavaScript: a content security policy of 'self' refuses
 * WebAssembly. The layout is that of c-blosc's README_CHUNK_FORMAT.rst.
 */

const HEADER_BYTES = 16;
const LZ4 = 1;
const MIN_SPLIT_BYTES = 128;
const MAX_SPLITS = 16;

export class BloscCodec {
  readonly kind = "bytes_to_bytes";

  static fromConfig(): BloscCodec {
    return new BloscCodec();
  }

  encode(): never {
    throw new Error("this page only reads");
  }

  decode(bytes: Uint8Array): Uint8Array {
    return decodeBlosc(bytes);
  }
}

function refuse(expected: string, got: unknown): never {
  throw new Error(`damaged chunk: expected ${expected}, got ${String(got)}`);
}

/** Return the decoded bytes of a chunk. */
export function decodeBlosc(source: Uint8Array): Uint8Array {
  if (source.length < HEADER_BYTES) refuse("16 bytes of blosc's header", source.length);
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const flags = source[2];
  const typeSize = source[3];
  const size = view.getUint32(4, true);
  const blockSize = view.getUint32(8, true);
  if (view.getUint32(12, true) !== source.length) {
    refuse(`${view.getUint32(12, true)} bytes`, source.length);
  }
  if (flags & 2) return source.slice(HEADER_BYTES, HEADER_BYTES + size);
  if (flags >> 5 !== LZ4) refuse("LZ4", `codec ${flags >> 5}`);
  if (size > 256 * source.length || blockSize === 0) refuse("a possible size", size);
  const target = new Uint8Array(size);
  const scratch = new Uint8Array(blockSize);
  for (let block = 0, begin = 0; begin < size; block++, begin += blockSize) {
    const length = Math.min(blockSize, size - begin);
    const splits =
      !(flags & 16) && typeSize <= MAX_SPLITS && length === blockSize &&
      blockSize / typeSize >= MIN_SPLIT_BYTES ? typeSize : 1;
    const part = length / splits;
    let at = view.getInt32(HEADER_BYTES + 4 * block, true);
    for (let split = 0; split < splits; split++) {
      const stored = view.getInt32(at, true);
      at += 4;
      const piece = source.subarray(at, at + stored);
      const into = scratch.subarray(split * part, (split + 1) * part);
      if (stored === part) into.set(piece);
      else decodeLz4(piece, into);
      at += stored;
    }
    const decoded = scratch.subarray(0, length);
    const block8 = target.subarray(begin, begin + length);
    if (flags & 1 && typeSize > 1) unshuffleBytes(decoded, block8, typeSize);
    else if (flags & 4) unshuffleBits(decoded, block8, typeSize);
    else block8.set(decoded);
  }
  return target;
}

function decodeLz4(source: Uint8Array, target: Uint8Array): void {
  let from = 0;
  let to = 0;
  const extended = (length: number): number => {
    let more = 255;
    while (length >= 15 && more === 255 && from < source.length) length += more = source[from++];
    return length;
  };
  while (from < source.length) {
    const token = source[from++];
    const literals = token >> 4 === 15 ? extended(15) : token >> 4;
    if (to + literals > target.length) refuse(`${target.length} bytes`, "more");
    for (let k = 0; k < literals; k++) target[to++] = source[from++];
    if (from >= source.length) break;
    const distance = source[from] | (source[from + 1] << 8);
    from += 2;
    const length = 4 + ((token & 15) === 15 ? extended(15) : token & 15);
    if (distance === 0 || distance > to) refuse("a distance within the block", distance);
    if (to + length > target.length) refuse(`${target.length} bytes`, "more");
    for (let k = 0; k < length; k++, to++) target[to] = target[to - distance];
  }
  if (to !== target.length) refuse(`${target.length} bytes`, to);
}

function unshuffleBytes(source: Uint8Array, target: Uint8Array, typeSize: number): void {
  const count = Math.floor(source.length / typeSize);
  for (let byte = 0; byte < typeSize; byte++) {
    for (let k = 0, at = byte; k < count; k++, at += typeSize) target[at] = source[byte * count + k];
  }
  target.set(source.subarray(count * typeSize), count * typeSize);
}

/** Undo bitshuffle: row 8 j + b of the source holds bit b of byte j of all elements. */
function unshuffleBits(source: Uint8Array, target: Uint8Array, typeSize: number): void {
  const count = Math.floor(source.length / typeSize);
  if (count % 8) {
    target.set(source);
    return;
  }
  const row = count / 8;
  for (let byte = 0; byte < typeSize; byte++) {
    const first = 8 * byte * row;
    for (let group = 0; group < row; group++) {
      const at = first + group;
      let low = source[at] | (source[at + row] << 8) | (source[at + 2 * row] << 16) |
        (source[at + 3 * row] << 24);
      let high = source[at + 4 * row] | (source[at + 5 * row] << 8) |
        (source[at + 6 * row] << 16) | (source[at + 7 * row] << 24);
      // transpose 8 x 8 bits: H. S. Warren, Hacker's Delight, section 7-3
      let t = (low ^ (low >>> 7)) & 0x00aa00aa;
      low ^= t ^ (t << 7);
      t = (high ^ (high >>> 7)) & 0x00aa00aa;
      high ^= t ^ (t << 7);
      t = (low ^ (low >>> 14)) & 0x0000cccc;
      low ^= t ^ (t << 14);
      t = (high ^ (high >>> 14)) & 0x0000cccc;
      high ^= t ^ (t << 14);
      t = (low ^ (high << 4)) & 0xf0f0f0f0;
      low ^= t;
      high ^= t >>> 4;
      let to = 8 * group * typeSize + byte;
      for (let k = 0; k < 4; k++, to += typeSize) target[to] = low >>> (8 * k);
      for (let k = 0; k < 4; k++, to += typeSize) target[to] = high >>> (8 * k);
    }
  }
  target.set(source.subarray(count * typeSize), count * typeSize);
}
