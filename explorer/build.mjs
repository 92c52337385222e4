// Bundles the page into tersgen/serve/explorer; the same sources give the same bytes.
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../tersgen/serve/explorer"));
const absent = join(here, "src/absent.ts");

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "app"), { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: [{ in: "src/main.ts", out: "explorer" }, { in: "src/style.css", out: "explorer" }],
  outdir: join(out, "app"),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "eof",
  // datasets use blosc alone, decoded by src/blosc.ts: a strict content security policy refuses WebAssembly
  alias: { "numcodecs/blosc": absent, "numcodecs/lz4": absent, "numcodecs/zstd": absent },
  logLevel: "warning",
});
copyFileSync(join(here, "src/index.html"), join(out, "index.html"));
copyFileSync(join(here, "src/icon.svg"), join(out, "app/icon.svg"));
