// A deep network of square matrices on the GPU: its weights by gpu-init, a batch sent forward and gradients backward.

import { type Device, modelFingerprint, type Tensor } from "gpu-init";

export const ACTIVATIONS = ["linear", "tanh", "relu", "sigmoid", "gelu"] as const;
export type Activation = (typeof ACTIVATIONS)[number];

/** PyTorch's gains; it has none for GELU, which is near ReLU for large inputs. */
export const GAINS: Record<Activation, number> = {
  linear: 1, tanh: 5 / 3, relu: Math.SQRT2, sigmoid: 1, gelu: Math.SQRT2,
};

export interface Size { depth: number; width: number; batch: number }

/** One layer's activations, or the gradients by them. */
export interface Moments {
  mean: number;
  std: number;
  /** Counts of values by their distance from the mean, from -4 to 4 standard deviations. */
  histogram: Uint32Array;
}

/** An entry for the inputs, and one for each layer's outputs. */
export interface Signals {
  activations: Moments[];
  gradients: Moments[];
  /** Of all weights, as `gpu-init signal` prints it. */
  fingerprint: string;
}

export const BINS = 64;
const TILE = 16;

const WGSL = /* wgsl */ `
struct Params { layer: u32, batch: u32, width: u32, activation: u32 }
@group(0) @binding(0) var<uniform> params: Params;
// Layer 0 has the inputs, the others what their matrices give, before the activation function.
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradients: array<f32>;
// A matrix (out, in).
@group(0) @binding(3) var<storage, read> weights: array<f32>;

struct Moments { mean: f32, spread: f32, histogram: array<atomic<u32>, ${BINS}> }
@group(0) @binding(4) var<storage, read_write> moments: array<Moments>;

var<workgroup> a: array<array<f32, ${TILE}>, ${TILE}>;
var<workgroup> b: array<array<f32, ${TILE}>, ${TILE}>;

// WGSL's tanh may be wrong by 1e-5 whatever x is, and the signals here are smaller.
fn tanh_of(x: f32) -> f32 {
  let square = x * x;
  let small = x * (1.0 - square * (1.0 / 3.0 - square * (2.0 / 15.0)));
  return select(tanh(clamp(x, -15.0, 15.0)), small, abs(x) < 0.1);
}

// The probability that N(0, 1) is below x: Abramowitz and Stegun, 7.1.26.
fn normal_cdf(x: f32) -> f32 {
  let z = abs(x) * 0.70710678;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let s = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  let tail = 0.5 * s * exp(-z * z);
  return select(1.0 - tail, tail, x < 0.0);
}

fn value(x: f32) -> f32 {
  switch params.activation {
    case 1u: { return tanh_of(x); }
    case 2u: { return max(x, 0.0); }
    case 3u: { return 1.0 / (1.0 + exp(-x)); }
    case 4u: { return x * normal_cdf(x); }
    default: { return x; }
  }
}

fn derivative(x: f32) -> f32 {
  switch params.activation {
    // 1 - tanh(x)^2, which would be 0 where tanh is 1 to seven digits.
    case 1u: { let e = exp(-2.0 * abs(x)); return 4.0 * e / ((1.0 + e) * (1.0 + e)); }
    case 2u: { return select(0.0, 1.0, x > 0.0); }
    case 3u: { let y = 1.0 / (1.0 + exp(-x)); return y * (1.0 - y); }
    case 4u: { return normal_cdf(x) + x * 0.39894228 * exp(-0.5 * x * x); }
    default: { return 1.0; }
  }
}

// What layer \`layer\` hands on.
fn output(layer: u32, index: u32) -> f32 {
  let x = sums[layer * params.batch * params.width + index];
  if layer == 0u { return x; }
  return value(x);
}

// sums[layer] = output[layer - 1] * transpose(weights)
@compute @workgroup_size(${TILE}, ${TILE})
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) own: vec3u) {
  let width = params.width;
  var sum = 0.0;
  for (var first = 0u; first < width; first += ${TILE}u) {
    a[own.y][own.x] = output(params.layer - 1u, id.y * width + first + own.x);
    b[own.y][own.x] = weights[(id.x - own.x + own.y) * width + first + own.x];
    workgroupBarrier();
    for (var k = 0u; k < ${TILE}u; k++) { sum += a[own.y][k] * b[own.x][k]; }
    workgroupBarrier();
  }
  sums[(params.layer * params.batch + id.y) * width + id.x] = sum;
}

// gradients[layer - 1] = (gradients[layer] times the derivative at sums[layer]) * weights
@compute @workgroup_size(${TILE}, ${TILE})
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) own: vec3u) {
  let width = params.width;
  let start = (params.layer * params.batch + id.y) * width;
  var sum = 0.0;
  for (var first = 0u; first < width; first += ${TILE}u) {
    let at = start + first + own.x;
    a[own.y][own.x] = gradients[at] * derivative(sums[at]);
    b[own.y][own.x] = weights[(first + own.y) * width + id.x];
    workgroupBarrier();
    for (var k = 0u; k < ${TILE}u; k++) { sum += a[own.y][k] * b[k][own.x]; }
    workgroupBarrier();
  }
  gradients[((params.layer - 1u) * params.batch + id.y) * width + id.x] = sum;
}

var<workgroup> parts: array<f32, 256>;

fn total(own: u32, part: f32, largest: bool) -> f32 {
  parts[own] = part;
  workgroupBarrier();
  for (var stride = 128u; stride > 0u; stride /= 2u) {
    if own < stride {
      let other = parts[own + stride];
      parts[own] = select(parts[own] + other, max(parts[own], other), largest);
    }
    workgroupBarrier();
  }
  let result = parts[0];
  workgroupBarrier();
  return result;
}

// One workgroup for each layer's activations, then one for each layer's gradients.
@compute @workgroup_size(256)
fn measure(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) own: u32,
           @builtin(num_workgroups) groups: vec3u) {
  let layers = groups.x / 2u;
  let layer = group.x % layers;
  let of_gradients = group.x >= layers;
  let count = params.batch * params.width;
  // In units of the largest, since squares under- and overflow sooner than values.
  var largest = 0.0;
  for (var i = own; i < count; i += 256u) { largest = max(largest, abs(signal(of_gradients, layer, i))); }
  largest = total(own, largest, true);
  let unit = select(1.0, largest, largest > 0.0);
  var sum = 0.0;
  for (var i = own; i < count; i += 256u) { sum += signal(of_gradients, layer, i) / unit; }
  let mean = total(own, sum, false) / f32(count);
  var square = 0.0;
  for (var i = own; i < count; i += 256u) {
    let x = signal(of_gradients, layer, i) / unit - mean;
    square += x * x;
  }
  let spread = sqrt(total(own, square, false) / f32(count));
  for (var i = own; i < count; i += 256u) {
    let x = (signal(of_gradients, layer, i) / unit - mean) / max(spread, 1e-30);
    let bin = clamp((x + 4.0) * ${BINS / 8}.0, 0.0, ${BINS - 1}.0);
    atomicAdd(&moments[group.x].histogram[u32(bin)], 1u);
  }
  if own == 0u {
    moments[group.x].mean = mean * unit;
    moments[group.x].spread = spread * unit;
  }
}

fn signal(of_gradients: bool, layer: u32, index: u32) -> f32 {
  if of_gradients { return gradients[layer * params.batch * params.width + index]; }
  return output(layer, index);
}
`;

const { STORAGE, COPY_SRC, COPY_DST, UNIFORM, MAP_READ } = {
  STORAGE: 0x80, COPY_SRC: 0x4, COPY_DST: 0x8, UNIFORM: 0x40, MAP_READ: 0x1,
};

/** Networks of one size, which differ in their initializer. */
export class Network {
  private constructor(
    private readonly device: Device,
    private readonly size: Size,
    private readonly activation: Activation,
    private readonly pipelines: Record<"forward" | "backward" | "measure", GPUComputePipeline>,
    private readonly layout: GPUBindGroupLayout,
  ) {}

  /** `width` and `batch` are multiples of 16. */
  static async make(device: Device, size: Size, activation: Activation): Promise<Network> {
    const gpu = device.gpuDevice;
    const module = gpu.createShaderModule({ code: WGSL });
    const types: GPUBufferBindingType[] = ["uniform", "storage", "storage", "read-only-storage", "storage"];
    const entries = types.map((type, binding) => ({ binding, visibility: 4, buffer: { type } }));
    const layout = gpu.createBindGroupLayout({ entries });
    const pipelineLayout = gpu.createPipelineLayout({ bindGroupLayouts: [layout] });
    const make = (entryPoint: string) =>
      gpu.createComputePipelineAsync({ layout: pipelineLayout, compute: { module, entryPoint } });
    const [forward, backward, measure] = await Promise.all([make("forward"), make("backward"), make("measure")]);
    return new Network(device, size, activation, { forward: forward!, backward: backward!, measure: measure! }, layout);
  }

  /** Makes all weights by an initializer and sends the signals through. */
  async pass(init: string, gain: number | undefined): Promise<Signals> {
    const { depth, width, batch } = this.size;
    const name = (layer: number) => `layers.${layer}.weight`;
    const specs = Array.from({ length: depth }, (_, layer) => ({ init, gain, shape: [width, width], name: name(layer) }));
    const normal = (name: string) => ({ init: "normal(std=1)", shape: [batch, width], name });
    const buffers = new Set<GPUBuffer>();
    try {
      const weights = await this.device.fillAll(specs);
      const ends = await this.device.fillAll([normal("inputs"), normal("gradients")]);
      for (const tensor of [...weights, ...ends]) buffers.add(tensor.buffer);
      const fingerprints = await Promise.all(weights.map((tensor) => tensor.fingerprint()));
      const layers = fingerprints.map((fingerprint, layer) => ({ name: name(layer), fingerprint }));
      return { ...(await this.send(weights, ends, buffers)), fingerprint: modelFingerprint(layers) };
    } finally {
      for (const buffer of buffers) buffer.destroy();
    }
  }

  private async send(weights: Tensor[], [inputs, gradients]: Tensor[], buffers: Set<GPUBuffer>) {
    const { depth, width, batch } = this.size;
    const gpu = this.device.gpuDevice;
    const make = (size: number, usage: number) => {
      const buffer = gpu.createBuffer({ size, usage });
      buffers.add(buffer);
      return buffer;
    };
    const [layerBytes, momentBytes] = [batch * width * 4, (2 + BINS) * 4];
    const allMoments = 2 * (depth + 1) * momentBytes;
    gpu.pushErrorScope("out-of-memory");
    gpu.pushErrorScope("validation");
    const sums = make((depth + 1) * layerBytes, STORAGE | COPY_DST);
    const backs = make((depth + 1) * layerBytes, STORAGE | COPY_DST);
    const moments = make(allMoments, STORAGE | COPY_SRC);
    const read = make(allMoments, MAP_READ | COPY_DST);

    const encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(inputs!.buffer, inputs!.offset, sums, 0, layerBytes);
    encoder.copyBufferToBuffer(gradients!.buffer, gradients!.offset, backs, depth * layerBytes, layerBytes);
    const pass = encoder.beginComputePass();
    const run = (entry: "forward" | "backward" | "measure", layer: number, x: number, y: number) => {
      const uniform = make(16, UNIFORM | COPY_DST);
      gpu.queue.writeBuffer(uniform, 0, new Uint32Array([layer, batch, width, ACTIVATIONS.indexOf(this.activation)]));
      const { buffer, offset, bytes } = weights[Math.max(layer - 1, 0)]!;
      const resources = [uniform, sums, backs, { buffer, offset, size: bytes }, moments];
      const entries = resources.map((resource, binding) => ({
        binding,
        resource: resource instanceof GPUBuffer ? { buffer: resource } : resource,
      }));
      pass.setPipeline(this.pipelines[entry]);
      pass.setBindGroup(0, gpu.createBindGroup({ layout: this.layout, entries }));
      pass.dispatchWorkgroups(x, y);
    };
    for (let layer = 1; layer <= depth; layer++) run("forward", layer, width / TILE, batch / TILE);
    for (let layer = depth; layer >= 1; layer--) run("backward", layer, width / TILE, batch / TILE);
    run("measure", 0, 2 * (depth + 1), 1);
    pass.end();
    encoder.copyBufferToBuffer(moments, 0, read, 0, allMoments);
    gpu.queue.submit([encoder.finish()]);
    const [invalid, memory] = await Promise.all([gpu.popErrorScope(), gpu.popErrorScope()]);
    const error = memory ?? invalid;
    if (error) throw new Error(`the passes: ${error.message || "the device has not enough memory"}; choose a smaller network`);
    await read.mapAsync(GPUMapMode.READ);
    const bytes = read.getMappedRange().slice(0);
    const all = Array.from({ length: 2 * (depth + 1) }, (_, i): Moments => {
      const [mean, std] = new Float32Array(bytes, i * momentBytes, 2);
      return { mean: mean!, std: std!, histogram: new Uint32Array(bytes, i * momentBytes + 8, BINS) };
    });
    return { activations: all.slice(0, depth + 1), gradients: all.slice(depth + 1) };
  }
}
