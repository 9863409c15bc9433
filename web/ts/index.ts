/// <reference types="@webgpu/types" preserve="true" />
// The npm package: typed classes over the WebAssembly module, which does all the work.

import initialize, { type DeviceHandle, type InitInput, modelFingerprintOf, openDevice, type TensorHandle } from "./generated/gpu_init.js";

/** The type of a tensor's elements. */
export type DType =
  | "f32" | "f16" | "bf16" | "f64" | "f8_e4m3" | "f8_e5m2"
  | "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "bool";

/** What reading back gives: `Float32Array` of f32, `Float64Array` of f64, the integers' own arrays, `Uint8Array` of
 * bool. Of types that JavaScript lacks their bits: `Uint16Array` of bf16 and f16, `Uint8Array` of 8-bit floats. */
export type Elements =
  | Float32Array | Float64Array | Uint16Array | Uint8Array
  | Int8Array | Int16Array | Int32Array | BigInt64Array | Uint32Array | BigUint64Array;

/** How to open a device. */
export interface OpenOptions {
  /** The seed of tensors that have none of their own; 0 by default. */
  seed?: number | bigint;
  /** A device of yours, which the buffers will belong to; its limits hold. */
  device?: GPUDevice;
  /** An adapter of yours, to open a device of, with all the limits that it has. */
  adapter?: GPUAdapter;
  /** Where no adapter is given, which one to ask for. */
  powerPreference?: GPUPowerPreference;
  /** The module `gpu-init/gpu_init_bg.wasm`, by its address or its bytes, where a bundler does not find it. */
  wasm?: InitInput | Promise<InitInput>;
}

/** A part of a dimension: the indices from `start` on, without `end`. */
export interface Slice { dim: number; start: number; end: number }

/** Part `rank` of `world` of a dimension, each as large as the others but for the last ones. */
export interface Shard { dim: number; rank: number; world: number }

/** What to fill, and how. */
export interface FillOptions {
  /** The initializer: `xavier_normal`, `kaiming_normal(mode=fan_out)`, `normal(std=0.02)`... */
  init: string;
  /** The dimensions of the whole tensor, outermost first; PyTorch's order unless `layout` says another. */
  shape: readonly number[];
  /** The tensor's name, which decides its stream: the same weights whatever was filled before. */
  name?: string;
  /** The stream by its number. */
  stream?: number | bigint;
  /** The seed, instead of the device's. */
  seed?: number | bigint;
  /** The type of the elements; f32 by default. */
  dtype?: DType;
  /** Multiplies the standard deviation, of initializers that have a gain. */
  gain?: number;
  /** The order of the axes: `pytorch`, `keras`, `jax`, `transposed`, `grouped(groups=4)`... */
  layout?: string;
  /** fan_in and fan_out, instead of the shape's. */
  fans?: readonly [fanIn: number, fanOut: number];
  /** Multiplies the values. */
  scale?: number;
  /** The part to fill of one or two dimensions; it has the bits of the whole. */
  slice?: Slice | readonly Slice[];
  /** The part to fill, by the number of parts. */
  shard?: Shard;
  /** The part to fill, as a range of elements of the whole row-major tensor. */
  elements?: readonly [start: number, end: number];
}

/** What follows a fill, and what its buffers are for. */
export interface WorkOptions {
  /** Usages of the buffers besides STORAGE, COPY_SRC and COPY_DST. */
  usage?: GPUBufferUsageFlags;
  /** Called with elements done and their total; return `false` to cancel. With it a fill waits until all is done. */
  onProgress?: (done: number, total: number) => boolean | void;
}

/** Statistics of a tensor's elements. */
export interface Stats {
  /** Elements that are numbers, of which the others are. */
  count: number;
  nan: number;
  infinite: number;
  mean: number;
  std: number;
  min: number;
  max: number;
}

/** What calls throw: `kind` is the name of one of the library's kinds, such as `OutOfMemory`, `DeviceLost`,
 * `BufferTooLarge` or `NoAdapter`, or `Argument`. */
export interface GpuInitError extends Error {
  name: "GpuInitError";
  kind: string;
}

let module: Promise<unknown> | undefined;

function load(wasm: OpenOptions["wasm"]): Promise<unknown> {
  const source = wasm ?? new URL("./generated/gpu_init_bg.wasm", import.meta.url);
  module ??= initialize({ module_or_path: source }).catch((error: unknown) => {
    module = undefined; // The next call tries again.
    throw error;
  });
  return module;
}

/** A GPU whose kernels are compared with the CPU path before they make weights. */
export class Device {
  private constructor(
    private readonly handle: DeviceHandle,
    /** The GPUDevice that the buffers belong to. */
    readonly gpuDevice: GPUDevice,
    /** What the browser tells of the adapter. */
    readonly adapterName: string,
  ) {}

  /** Opens a device; takes about a second, for the kernels of F32 normals are verified. */
  static async open(options: OpenOptions = {}): Promise<Device> {
    await load(options.wasm);
    const gpu = new Gpu(options);
    const handle = await openDevice(gpu, integer("open a device", "seed", options.seed ?? 0));
    const device = gpu.opened!;
    return new Device(handle, device, nameOf(device.adapterInfo));
  }

  /** The same device with another seed. */
  withSeed(seed: number | bigint): Device {
    return new Device(this.handle.withSeed(integer("seed", "seed", seed)), this.gpuDevice, this.adapterName);
  }

  /** Fills a tensor in a buffer of its own. The commands are submitted: it can be used at once. */
  async fill(options: FillOptions & WorkOptions): Promise<Tensor> {
    const { usage, onProgress, ...spec } = options;
    return (await this.fillAll([spec], { usage, onProgress }))[0]!;
  }

  /** Fills many tensors with few submissions; small ones share buffers, each at an offset. */
  async fillAll(specs: readonly FillOptions[], options: WorkOptions = {}): Promise<Tensor[]> {
    const handles = await this.handle.fill(specs.map(toWasm), options.usage ?? 0, options.onProgress);
    return handles.map((handle) => new Tensor(handle, this));
  }

  /** Waits until all submitted work is done. */
  wait(): Promise<void> {
    return this.handle.wait();
  }
}

const MAKE: Record<DType, (bytes: ArrayBuffer) => Elements> = {
  f32: (bytes) => new Float32Array(bytes),
  f64: (bytes) => new Float64Array(bytes),
  f16: (bytes) => new Uint16Array(bytes),
  bf16: (bytes) => new Uint16Array(bytes),
  f8_e4m3: (bytes) => new Uint8Array(bytes),
  f8_e5m2: (bytes) => new Uint8Array(bytes),
  i8: (bytes) => new Int8Array(bytes),
  i16: (bytes) => new Int16Array(bytes),
  i32: (bytes) => new Int32Array(bytes),
  i64: (bytes) => new BigInt64Array(bytes),
  u8: (bytes) => new Uint8Array(bytes),
  u16: (bytes) => new Uint16Array(bytes),
  u32: (bytes) => new Uint32Array(bytes),
  u64: (bytes) => new BigUint64Array(bytes),
  bool: (bytes) => new Uint8Array(bytes),
};

/** A tensor, or a part of one, in GPU memory. */
export class Tensor {
  /** The buffer that holds the elements, row-major, from `offset` on. */
  readonly buffer: GPUBuffer;
  /** Byte offset of the first element: 0 in a buffer of its own. */
  readonly offset: number;
  /** Bytes of the elements; the buffer may be larger. */
  readonly bytes: number;
  /** Elements here. */
  readonly length: number;
  /** Index of the first element here in the whole tensor. */
  readonly first: number;
  /** The dimensions of the whole tensor. */
  readonly shape: readonly number[];
  /** The type of the elements. */
  readonly dtype: DType;
  /** The seed and the stream, which decide the elements with the specification. */
  readonly seed: bigint;
  readonly stream: bigint;

  /** @internal */
  constructor(private readonly handle: TensorHandle, readonly device: Device) {
    this.buffer = handle.buffer as GPUBuffer;
    this.offset = handle.offset;
    this.bytes = handle.bytes;
    this.length = handle.length;
    this.first = handle.first;
    this.shape = Array.from(handle.shape);
    this.dtype = handle.dtype as DType;
    this.seed = handle.seed;
    this.stream = handle.stream;
  }

  /** Reads the elements back, or those from `start` on without `end`, counted from the first one here. */
  async read(start = 0, end = this.length): Promise<Elements> {
    const bytes = await this.handle.read(start, end);
    return MAKE[this.dtype](bytes.buffer as ArrayBuffer);
  }

  /** Statistics, computed on the GPU. */
  stats(): Promise<Stats> {
    return this.handle.stats() as Promise<Stats>;
  }

  /** 64 bits over every element and its index, as 16 hex digits, computed on the GPU. Those of the parts of a tensor
   * add up to that of the whole. */
  fingerprint(): Promise<string> {
    return this.handle.fingerprint();
  }
}

/** The fingerprint of a model by those of its tensors, as the program `gpu-init` prints it. A device was opened before. */
export function modelFingerprint(tensors: readonly { name: string; fingerprint: string }[]): string {
  const fingerprints = BigUint64Array.from(tensors, ({ fingerprint }) => BigInt(`0x${fingerprint}`));
  return modelFingerprintOf(tensors.map(({ name }) => name), fingerprints);
}

/** What the WebAssembly module takes for `navigator.gpu`: hands out the caller's device, or the browser's, and tells
 * which. */
class Gpu {
  opened: GPUDevice | undefined;
  // The module puts this object in its place while it runs.
  private readonly browser = globalThis.navigator?.gpu as GPU | undefined;

  constructor(private readonly options: OpenOptions) {}

  async requestAdapter(): Promise<unknown> {
    const { device, powerPreference } = this.options;
    if (device !== undefined) {
      const open = async () => this.adopt(device, UNKNOWN);
      return { features: device.features, limits: device.limits, info: device.adapterInfo ?? UNKNOWN, requestDevice: open };
    }
    const adapter = this.options.adapter ?? (await this.browser?.requestAdapter({ powerPreference }));
    if (!adapter) return null;
    const info = adapter.info ?? UNKNOWN;
    const open = async (descriptor: GPUDeviceDescriptor) => this.adopt(await adapter.requestDevice(descriptor), info);
    return { features: adapter.features, limits: adapter.limits, info, requestDevice: open };
  }

  private adopt(device: GPUDevice, info: GPUAdapterInfo): GPUDevice {
    // The module reads it, and not every browser has it.
    if (device.adapterInfo === undefined) Object.defineProperty(device, "adapterInfo", { value: info, configurable: true });
    return (this.opened = device);
  }
}

const UNKNOWN = {
  vendor: "", architecture: "", device: "", description: "", subgroupMinSize: 4, subgroupMaxSize: 128, isFallbackAdapter: false,
} as GPUAdapterInfo;

function nameOf({ description, vendor, architecture }: GPUAdapterInfo): string {
  return description || [vendor, architecture].filter(Boolean).join(" ") || "WebGPU";
}

function toWasm({ slice, ...spec }: FillOptions): object {
  const wasm: Record<string, unknown> = { ...spec };
  const { shape, seed, stream } = spec;
  if (!Array.isArray(shape) || !shape.every((dim) => Number.isInteger(dim) && dim >= 0 && dim < 2 ** 32)) {
    throw mistake(`fill: shape = ${JSON.stringify(shape)}; use an array of whole numbers below 2^32, such as [4096, 4096]`);
  }
  if (seed !== undefined) wasm.seed = integer("fill", "seed", seed);
  if (stream !== undefined) wasm.stream = integer("fill", "stream", stream);
  if (slice !== undefined) wasm.slices = Array.isArray(slice) ? slice : [slice];
  // A property that is there without a value is not there.
  for (const key of Object.keys(wasm)) if (wasm[key] === undefined) delete wasm[key];
  return wasm;
}

/** A number of 64 bits for the module. */
function integer(call: string, what: string, value: number | bigint): bigint {
  const isInteger = typeof value === "bigint" || Number.isSafeInteger(value);
  if (!isInteger || value < 0 || value >= 2n ** 64n) {
    throw mistake(`${call}: ${what} = ${value} is out of range; use a whole number from 0 on, as a BigInt from 2^53 on`);
  }
  return BigInt(value);
}

/** An error about what a caller passed. */
function mistake(message: string): GpuInitError {
  return Object.assign(new Error(message), { name: "GpuInitError", kind: "Argument" } as const);
}
