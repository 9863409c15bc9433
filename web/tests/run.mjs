#!/usr/bin/env node
// Tests the package, the page and the library's async calls, which web/tests/run built, in headless Chromium: bits,
// errors, clicks and curves.
//
// usage: web/tests/run.mjs GPU_INIT [--chromium PROGRAM] [--screenshots FOLDER]

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const [program, ...options] = process.argv.slice(2);
const option = (name, otherwise) => (options.includes(name) ? options[options.indexOf(name) + 1] : otherwise);
const web = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const temporary = mkdtempSync(join(tmpdir(), "gpu-init-web-"));
const project = join(temporary, "project");
const screenshots = option("--screenshots", join(temporary, "screenshots"));
mkdirSync(screenshots, { recursive: true });
const MINUTE = 60_000;

function run(command, args, cwd) {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  } catch (error) {
    error.message += `\n${error.stdout}`;
    throw error;
  }
}
const fill = (args) => JSON.parse(run(resolve(program), ["fill", ...args, "--device", "cpu", "--json"]));

let server, browser, origin;
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };
const FOLDERS = { site: join(web, "site"), library: join(web, "tests/library/generated"), project };

before(async () => {
  server = createServer((request, response) => {
    const [, folder, ...path] = normalize(new URL(request.url, "http://localhost").pathname).split("/");
    try {
      const file = path.join("/") || "index.html";
      const body = folder === "" ? "<!doctype html>" : readFileSync(join(FOLDERS[folder], file));
      response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "text/plain" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${server.address().port}`;
  browser = await chromium.launch({
    executablePath: option("--chromium", "/usr/bin/chromium"),
    args: ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--disable-quic", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
  });
});

after(async () => {
  await browser?.close();
  server?.close();
  rmSync(temporary, { recursive: true, force: true });
});

/** A page with the package as `gpuInit`, and a function that turns errors to data. */
async function packagePage() {
  const page = await browser.newPage();
  page.setDefaultTimeout(5 * MINUTE);
  await page.goto(`${origin}/`);
  await page.evaluate(async () => {
    globalThis.gpuInit = await import("/site/gpu-init/index.js");
    // A call that never ends is no error: it fails the test.
    globalThis.failure = (promise) => Promise.race([
      promise.then((value) => ({ value: String(value) }), ({ name, kind, message }) => ({ name, kind, message })),
      new Promise((done) => setTimeout(() => done({ hangs: true }), 60_000)),
    ]);
  });
  return page;
}

const NORMAL_TYPES = ["f32", "f16", "bf16", "f64", "f8_e4m3", "f8_e5m2"];
const INTEGER_TYPES = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bool"];
const CASES = [
  ...NORMAL_TYPES.flatMap((dtype) => ["xavier_normal", "xavier_uniform(gain=2)", "truncated_normal"].map((init) => ({ init, dtype }))),
  ...["variance_scaling(scale=2, mode=fan_avg, distribution=uniform)", "kaiming_normal(mode=fan_out, nonlinearity=relu)", "kaiming_uniform",
    "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "normal(mean=1, std=0.02)",
    "uniform(a=-1, b=2)", "truncated_normal_sigma", "constant(val=0.1)", "zeros", "ones", "arange", "log_arange", "log_uniform(low=0.1, high=2)",
    "inverse_softplus_log_uniform", "sinusoidal", "eye", "orthogonal", "sparse(sparsity=0.5, std=0.1)"].map((init) => ({ init })),
  { init: "sinusoidal_2d", shape: [64, 32] },
  { init: "dirac", shape: [16, 8, 3, 3] },
  { init: "delta_orthogonal", shape: [32, 16, 3, 3] },
  { init: "xavier_normal", shape: [3, 3, 16, 32], layout: "keras" },
  ...["bf16", "f64", "f8_e5m2"].map((dtype) => ({ init: "orthogonal", dtype })),
  ...INTEGER_TYPES.map((dtype) => ({ init: "ones", dtype })),
  { init: "arange(start=5, step=3)", dtype: "i32" },
].map((one) => ({ shape: [300, 72], dtype: "f32", name: "w", ...one }));

test("fingerprints are the program's", async () => {
  const page = await packagePage();
  const actual = await page.evaluate(async (cases) => {
    const opened = performance.now();
    const device = await gpuInit.Device.open({ seed: 42 });
    const seconds = (performance.now() - opened) / 1000;
    const fingerprints = [];
    for (const one of cases) fingerprints.push(await failure(device.fill(one).then((tensor) => tensor.fingerprint())));
    return { seconds, fingerprints };
  }, CASES);
  console.log(`opened in ${actual.seconds.toFixed(2)} s`);
  for (const [i, { init, shape, dtype, layout }] of CASES.entries()) {
    const expected = fill(["--init", init, "--shape", shape.join("x"), "--dtype", dtype, "--seed", "42", "--name", "w",
      ...(layout ? ["--layout", layout] : [])]);
    assert.deepEqual(actual.fingerprints[i], { value: expected.fingerprint }, `${init} ${dtype}`);
  }
  console.log(`${CASES.length} fingerprints`);
  await page.close();
});

test("parts have the bits of the whole, over the limits of a binding too, on a device of the page's", async () => {
  const page = await packagePage();
  const found = await page.evaluate(async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const gpu = navigator.gpu;
    const own = await adapter.requestDevice(); // WebGPU's default limits.
    const device = await gpuInit.Device.open({ device: own, seed: 42 });
    const sum = async (...specs) => {
      const parts = await Promise.all(specs.map(async (spec) => BigInt(`0x${await (await device.fill(spec)).fingerprint()}`)));
      return BigInt.asUintN(64, parts.reduce((a, b) => a + b, 0n)).toString(16).padStart(16, "0");
    };
    const whole = { init: "xavier_normal", shape: [300, 72], name: "w" };
    const big = { init: "xavier_normal", shape: [6000, 7000], name: "w" };
    const tensor = await device.fill(big);
    const { buffer } = await device.fill({ ...whole, usage: GPUBufferUsage.VERTEX });
    // The page's own commands on the page's own device.
    const copy = own.createBuffer({ size: buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = own.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
    own.queue.submit([encoder.finish()]);
    await copy.mapAsync(GPUMapMode.READ);
    const values = [...new Float32Array(copy.getMappedRange()).subarray(0, 3)];
    const read = await (await device.fill(whole)).read(0, 3);
    return {
      isOwn: device.gpuDevice === own, isBack: navigator.gpu === gpu, isBuffer: buffer instanceof GPUBuffer,
      usage: buffer.usage & GPUBufferUsage.VERTEX, binding: own.limits.maxStorageBufferBindingSize, bytes: tensor.bytes,
      values, read: [...read], isFloat32: read instanceof Float32Array,
      slices: await sum({ ...whole, slice: { dim: 1, start: 0, end: 31 } }, { ...whole, slice: { dim: 1, start: 31, end: 72 } }),
      shards: await sum(...[0, 1, 2].map((rank) => ({ ...whole, shard: { dim: 0, rank, world: 3 } }))),
      elements: await sum({ ...whole, elements: [0, 777] }, { ...whole, elements: [777, 21600] }),
      big: await tensor.fingerprint(), stats: await tensor.stats(),
      all: (await device.fillAll([whole, { ...whole, name: "v" }])).map(({ bytes, shape, dtype, seed }) => [bytes, shape, dtype, String(seed)]),
      model: gpuInit.modelFingerprint([{ name: "w", fingerprint: "1" }, { name: "v", fingerprint: "2" }]),
    };
  });
  const whole = fill(["--init", "xavier_normal", "--shape", "300x72", "--seed", "42", "--name", "w"]);
  const big = fill(["--init", "xavier_normal", "--shape", "6000x7000", "--seed", "42", "--name", "w"]);
  for (const part of ["slices", "shards", "elements"]) assert.equal(found[part], whole.fingerprint, part);
  assert.ok(found.bytes > found.binding, `${found.bytes} bytes are over a binding of ${found.binding}`);
  assert.equal(found.big, big.fingerprint);
  for (const figure of ["mean", "std", "min", "max", "nan", "infinite"]) assert.equal(found.stats[figure], big[figure], figure);
  assert.deepEqual(found.values, found.read);
  assert.ok(found.isFloat32 && found.isOwn && found.isBack && found.isBuffer && found.usage !== 0, JSON.stringify(found));
  assert.deepEqual(found.all, [[86400, [300, 72], "f32", "42"], [86400, [300, 72], "f32", "42"]]);
  assert.match(found.model, /^[0-9a-f]{16}$/);
  await page.close();
});

test("browsers that tell nothing of the adapter will do, and several devices beside one another", async () => {
  const page = await packagePage();
  const found = await page.evaluate(async () => {
    delete GPUDevice.prototype.adapterInfo;
    const own = await (await navigator.gpu.requestAdapter()).requestDevice();
    const devices = await Promise.all([{ seed: 1 }, { seed: 2 }, { device: own, seed: 1 }].map((options) => gpuInit.Device.open(options)));
    const spec = { init: "xavier_normal", shape: [64, 64], name: "w" };
    const tensors = await Promise.all([...devices, devices[1].withSeed(1)].map((device) => device.fill(spec)));
    return { names: devices.map(({ adapterName }) => adapterName), fingerprints: await Promise.all(tensors.map((tensor) => tensor.fingerprint())) };
  });
  const [a, b, c, d] = found.fingerprints;
  assert.ok(a === c && a === d && a !== b, JSON.stringify(found));
  assert.deepEqual(found.names.map(Boolean), [true, true, true]);
  assert.equal(a, fill(["--init", "xavier_normal", "--shape", "64x64", "--seed", "1", "--name", "w"]).fingerprint);
  await page.close();
});

test("what goes wrong is an error, and the device goes on", async () => {
  const page = await packagePage();
  const errors = await page.evaluate(async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const device = await gpuInit.Device.open({ device: await adapter.requestDevice() });
    const large = await gpuInit.Device.open();
    const whole = { init: "xavier_normal", shape: [300, 72], name: "w" };
    const tensor = await device.fill(whole);
    const expected = await tensor.fingerprint();
    const attempts = {
      init: () => device.fill({ ...whole, init: "xaver" }),
      dtype: () => device.fill({ ...whole, dtype: "f12" }),
      property: () => device.fill({ ...whole, nam: "v" }),
      shape: () => device.fill({ ...whole, shape: [3.5, 2] }),
      negative: () => device.fill({ ...whole, shape: [-3, 2] }),
      stream: () => device.fill({ init: "ones", shape: [2], stream: 2n ** 64n }),
      ownSeed: () => device.fill({ ...whole, seed: 1.5 }),
      noShape: () => device.fill({ init: "ones" }),
      zero: () => device.fill({ ...whole, shape: [0, 2] }),
      vector: () => device.fill({ ...whole, shape: [7] }),
      seed: () => gpuInit.Device.open({ seed: -1 }),
      usage: () => device.fill({ ...whole, usage: 1 << 30 }),
      mapped: () => device.fill({ ...whole, usage: GPUBufferUsage.MAP_READ }),
      slice: () => device.fill({ ...whole, slice: { dim: 2, start: 0, end: 1 } }),
      range: () => tensor.read(0, 21601),
      tooLarge: () => device.fill({ ...whole, shape: [70000000] , init: "normal" }),
      refused: () => large.fill({ ...whole, shape: [large.gpuDevice.limits.maxBufferSize / 4], init: "normal" }),
      cancelled: () => device.fill({ ...whole, onProgress: () => false }),
      thrown: () => device.fill({ ...whole, onProgress: () => { throw new TypeError("mine"); } }),
    };
    const found = {};
    for (const [name, attempt] of Object.entries(attempts)) {
      found[name] = await failure(attempt());
      const after = await failure(device.fill(whole).then((tensor) => tensor.fingerprint()));
      if (after.value !== expected) found[name].after = after;
    }
    // Losses: work under way, and every call after it.
    const under = failure(device.fill({ ...whole, shape: [4000, 4000], onProgress: () => true }));
    device.gpuDevice.destroy();
    found.lostUnderWay = await under;
    found.lostFill = await failure(device.fill(whole));
    found.lostRead = await failure(tensor.read());
    found.lostStats = await failure(tensor.stats());
    found.lostFingerprint = await failure(tensor.fingerprint());
    found.lostWait = await failure(device.wait());
    found.lostOpen = await failure(gpuInit.Device.open({ device: device.gpuDevice }));
    return found;
  });
  const expected = {
    init: ["Argument", /unknown|no initializer|use one of/], dtype: ["Argument", /dtype/], property: ["Argument", /unknown property "nam"/],
    shape: ["Argument", /shape = \[3\.5,2\]/], negative: ["Argument", /-3/], noShape: ["Argument", /shape = undefined/],
    stream: ["Argument", /stream = 18446744073709551616/], ownSeed: ["Argument", /seed = 1.5/], zero: ["ZeroSized", /size 0/], vector: ["TooFewDims", /two/],
    seed: ["Argument", /seed = -1/], usage: ["Argument", /usages/], mapped: ["Gpu", /./], slice: ["NoDimension", /dimension 2/],
    range: ["Range", /21601/], tooLarge: ["BufferTooLarge", /280000000 bytes/], refused: ["OutOfMemory", /bytes/], cancelled: ["Interrupted", /./],
    thrown: [undefined, /^mine$/],
    ...Object.fromEntries(["UnderWay", "Fill", "Read", "Stats", "Fingerprint", "Wait", "Open"].map((what) => [`lost${what}`, ["DeviceLost", /lost/]])),
  };
  for (const [name, error] of Object.entries(errors)) console.log(`${name}: ${error.kind}: ${error.message ?? JSON.stringify(error)}`);
  for (const [name, [kind, message]] of Object.entries(expected)) {
    assert.equal(errors[name].kind, kind, `${name}: ${JSON.stringify(errors[name])}`);
    assert.match(errors[name].message, message, name);
    assert.equal(errors[name].after, undefined, name);
  }
  await page.close();
});

// The library by itself, as a Rust program in a page has it: each export of web/tests/library is a test.
const LIBRARY = ["every_initializer", "parts_of_tensors", "reading_back", "opening", "fill_into", "fill_all_into", "encode", "over_a_binding",
  "options", "a_plan", "mistakes_of_plans", "mistakes_with_memory", "mistakes_with_usages_and_devices", "refusals", "a_lost_device"];

test("the library's async calls", async (context) => {
  const page = await browser.newPage();
  page.setDefaultTimeout(5 * MINUTE);
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(`${origin}/`);
  const exports = await page.evaluate(async () => {
    globalThis.library = await import("/library/gpu_init.js");
    await library.default({ module_or_path: new URL("/library/gpu_init_bg.wasm", location) });
    return Object.keys(library);
  });
  const isTest = (name) => !["default", "initSync"].includes(name);
  assert.deepEqual(exports.filter(isTest).toSorted(), LIBRARY.toSorted());
  for (const name of LIBRARY) {
    await context.test(name, async () => {
      const outcome = await page.evaluate((name) => Promise.race([
        library[name]().then((value) => ({ value }), (error) => ({ error: String(error) })),
        new Promise((done) => setTimeout(() => done({ error: "it never ends" }), 240_000)),
      ]), name);
      if (outcome.value) console.log(`${name}: ${outcome.value}`);
      assert.equal(outcome.error, undefined);
      assert.deepEqual(problems, []);
      if (name === "over_a_binding") {
        const [shape, fingerprint] = outcome.value.split(" ");
        const expected = fill(["--init", "xavier_uniform", "--shape", shape, "--name", "w"]);
        assert.equal(fingerprint, expected.fingerprint);
      }
      if (name === "a_plan") {
        const [list, fingerprint] = outcome.value;
        const file = join(temporary, "plan.json");
        writeFileSync(file, list);
        const report = run(resolve(program), ["model", file, "--recipe", "gpt2", "--seed", "42", "--device", "cpu", "--json"]);
        assert.equal(JSON.parse(report).fingerprint, fingerprint);
      }
    });
  }
  await page.close();
});

test("the page draws what the program computes", async () => {
  const page = await browser.newPage({ viewport: { width: 1240, height: 1000 } });
  page.setDefaultTimeout(5 * MINUTE);
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(`${origin}/site/#width=64&batch=32&seed=7`);
  const done = (text) => page.locator("#status", { hasText: text }).waitFor();
  await done(/^Done.*depth 50, width 64/);
  assert.match(await page.textContent("#adapter"), /swiftshader/i);
  const table = () => page.$$eval("#figures tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
  const [head, ...rows] = await table();
  const expected = JSON.parse(run(resolve(program), ["signal", "--width", "64", "--batch", "32", "--seed", "7", "--json"]));
  assert.equal(head.length, 1 + 2 * expected.lines.length);
  const legend = await page.locator("#legend").textContent();
  for (const [i, line] of expected.lines.entries()) {
    assert.ok(legend.includes(line.fingerprint), `${line.label} has the fingerprint ${line.fingerprint}: ${legend}`);
    for (const [offset, { std }] of [[1, line.activations], [2, line.gradients]]) {
      for (const [layer, value] of std.entries()) {
        const drawn = Number(rows[layer][2 * i + offset]);
        // F32 here and F64 there: where signals are chaotic, the tails of a batch decide.
        const most = line.label === "normal(std=1)" ? 3 : 0.25;
        if (value > 1e-30) assert.ok(Math.abs(Math.log(drawn / value)) < most, `${line.label}, layer ${layer}: ${drawn}, ${value}`);
      }
    }
  }
  // Layer 0 is the inputs.
  const curve = (label) => rows.slice(1).map((row) => Number(row[head.findIndex((cell) => cell.startsWith(label))]));
  const xavier = curve("Xavier");
  assert.ok(Math.max(...xavier) / Math.min(...xavier) < 3, `Xavier with tanh stays: ${xavier}`);
  assert.ok(curve("N(0, 0.01²)").at(-1) < 1e-10, "N(0, 0.01) vanishes");
  assert.equal(await page.locator("#activations canvas").count(), 1);
  await page.screenshot({ path: join(screenshots, "page-light.png"), fullPage: true });

  // By the keyboard alone.
  await page.focus("[name=depth]");
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type("12");
  await page.keyboard.press("Enter");
  await done(/depth 12/);
  assert.equal((await table()).length, 14);
  await page.focus("#layer");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.textContent("#layer-number"), "11");
  assert.match(page.url(), /depth=12/);

  // By the mouse: another activation, a line of one's own, a mistake.
  await page.selectOption("[name=activation]", "relu");
  await page.fill("[name=other]", "sparse(sparsity=0.9, std=0.3)");
  await page.click("button[type=submit]");
  await done(/^Done: 7 lines.*relu/);
  await page.fill("[name=other]", "xaver");
  await page.click("button[type=submit]");
  await page.locator("#error", { hasText: "xaver" }).waitFor();
  await page.fill("[name=other]", "");
  await page.click("button[type=submit]");
  await done(/^Done: 6 lines/);

  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 360, height: 800 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `${width} pixels on a screen of 360`);
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(screenshots, "page-narrow-dark.png"), fullPage: true });
  assert.deepEqual(problems, []);
  await page.close();
});

test("without WebGPU the page says what to do", async () => {
  const page = await browser.newPage();
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, "gpu", { get: () => undefined, configurable: true }));
  await page.goto(`${origin}/site/`);
  await page.locator("#error", { hasText: "no WebGPU" }).waitFor();
  await page.close();
});

test("the package installs in an empty project, and the README's example runs there", async () => {
  mkdirSync(project);
  const [{ filename, files }] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", temporary], web));
  console.log(files.map(({ path, size }) => `${path} ${size}`).join(", "));
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  run("npm", ["install", "--no-audit", "--no-fund", join(temporary, filename)], project);
  const [, example] = readFileSync(join(project, "node_modules/gpu-init/README.md"), "utf8").split(/```js\n|```\n(?=\n`Device)/);
  writeFileSync(join(project, "example.js"), example);
  writeFileSync(join(project, "example.ts"), example);
  cpSync(join(web, "node_modules/typescript"), join(project, "node_modules/typescript"), { recursive: true });
  run(join(project, "node_modules/typescript/bin/tsc"), ["--noEmit", "--strict", "--target", "es2022", "--module", "es2022",
    "--moduleResolution", "bundler", "--lib", "es2022,dom", "example.ts"], project);
  writeFileSync(join(project, "index.html"), `<!doctype html>
    <link rel="icon" href="data:,">
    <script type="importmap">{"imports": {"gpu-init": "/project/node_modules/gpu-init/dist/index.js"}}</script>`);
  const page = await browser.newPage();
  page.setDefaultTimeout(5 * MINUTE);
  const lines = [];
  page.on("console", (message) => message.type() === "log" && lines.push(message.text()));
  await page.goto(`${origin}/project/`);
  await page.evaluate(() => import("/project/example.js"));
  const expected = fill(["--init", "xavier_normal", "--shape", "4096x4096", "--seed", "42", "--name", "w"]);
  assert.equal(lines[0], expected.fingerprint, lines.join("\n"));
  assert.equal(lines.length, 3);
  await page.close();
});
