#!/usr/bin/env python3
"""Counts the instructions of the fill kernels in machine code for AMD and NVIDIA GPUs, without such a GPU.

Mesa's driver RADV compiles for any given chip and reports the machine code. On Debian it comes with llvmpipe, in
mesa-vulkan-drivers. machine_code_nvidia.py says what NVIDIA's compiler needs.

    cargo run --release --example kernels -- FOLDER
    python3 benches/machine_code.py FOLDER [CHIP...]      # navi21 (RDNA 2), vega10 (GCN 5) or sm_90 (H100); default: navi21
"""
import ctypes as c
import os
import pathlib
import re
import subprocess
import sys

import machine_code_nvidia as nvidia

DRIVER = "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json"
WORD, POINTER, TEXT = c.c_uint32, c.c_void_p, c.c_char_p


def structure(*fields):
    return type("Structure", (c.Structure,), {"_fields_": [("type", WORD), ("next", POINTER), *fields]})


Application = structure(("name", TEXT), ("version", WORD), ("engine", TEXT), ("engine_version", WORD), ("api", WORD))
Instance = structure(("flags", WORD), ("application", POINTER), ("layers", WORD), ("layer", POINTER),
                     ("extensions", WORD), ("extension", POINTER))
Queue = structure(("flags", WORD), ("family", WORD), ("count", WORD), ("priorities", POINTER))
Device = structure(("flags", WORD), ("queues", WORD), ("queue", POINTER), ("layers", WORD), ("layer", POINTER),
                   ("extensions", WORD), ("extension", POINTER), ("features", POINTER))
Module = structure(("flags", WORD), ("size", c.c_size_t), ("code", POINTER))
Bindings = structure(("flags", WORD), ("count", WORD), ("bindings", POINTER))
Layout = structure(("flags", WORD), ("sets", WORD), ("set", POINTER), ("ranges", WORD), ("range", POINTER))
Stage = structure(("flags", WORD), ("stage", WORD), ("module", POINTER), ("name", TEXT), ("special", POINTER))
Pipeline = structure(("flags", WORD), ("stage", Stage), ("layout", POINTER), ("base", POINTER), ("index", c.c_int32))


class Binding(c.Structure):
    _fields_ = [("binding", WORD), ("type", WORD), ("count", WORD), ("stages", WORD), ("samplers", POINTER)]


def address(thing):
    return c.cast(c.pointer(thing), POINTER)


def compile_kernel(path):
    """Has the driver compile a file of SPIR-V; RADV_DEBUG makes it say what came out, on standard error."""
    vulkan = c.CDLL("libvulkan.so.1")

    def make(function, owner, info, *between):
        made = POINTER()
        result = getattr(vulkan, function)(owner, *between, c.byref(info), None, c.byref(made))
        if result != 0:
            sys.exit(f"{function}: VkResult {result}")
        return made

    version_1_3 = 1 << 22 | 3 << 12
    application = Application(0, None, b"machine_code", 0, b"", 0, version_1_3)
    instance = POINTER()
    info = Instance(1, None, 0, address(application))
    if vulkan.vkCreateInstance(c.byref(info), None, c.byref(instance)) != 0:
        sys.exit("no Vulkan driver")
    count, adapter = WORD(1), POINTER()
    vulkan.vkEnumeratePhysicalDevices(instance, c.byref(count), c.byref(adapter))
    priority = c.c_float(1)
    queue = Queue(2, None, 0, 0, 1, address(priority))
    # All that the driver offers, as 64-bit integers need to be asked for.
    features = (WORD * 55)()
    vulkan.vkGetPhysicalDeviceFeatures(adapter, c.byref(features))
    device = make("vkCreateDevice", adapter, Device(3, None, 0, 1, address(queue), 0, None, 0, None, address(features)))
    code = path.read_bytes()
    text = c.create_string_buffer(code, len(code))
    module = make("vkCreateShaderModule", device, Module(16, None, 0, len(code), address(text)))
    # The params at a dynamic offset, the output, the table: src/gpu/kernels.rs.
    bindings = (Binding * 3)(Binding(0, 8, 1, 32), Binding(1, 7, 1, 32), Binding(2, 7, 1, 32))
    group = make("vkCreateDescriptorSetLayout", device, Bindings(32, None, 0, 3, address(bindings)))
    layout = make("vkCreatePipelineLayout", device, Layout(30, None, 0, 1, address(group)))
    stage = Stage(18, None, 0, 32, module, b"fill")
    pipeline = Pipeline(29, None, 0, stage, layout, None, -1)
    make("vkCreateComputePipelines", device, pipeline, None, WORD(1))


def statistics(path, chip):
    environment = dict(os.environ, RADV_FORCE_FAMILY=chip, RADV_DEBUG="shaderstats,nocache", VK_DRIVER_FILES=DRIVER)
    command = [sys.executable, __file__, "--compile", str(path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    found = dict(re.findall(r"^\s*([A-Z][A-Za-z ]+): (\d+)", run.stderr, re.MULTILINE))
    if run.returncode != 0 or "Instructions" not in found:
        sys.exit(f"{path.name} for {chip}: {run.stderr or run.stdout or run.returncode}")
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--compile"]:
        compile_kernel(pathlib.Path(sys.argv[2]))
        sys.exit()
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print("chip     kernel                                    instructions an element  of the kernel  registers  inverse throughput")
    for chip in sys.argv[2:] or ["navi21"]:
        of_chip = nvidia.statistics if chip.startswith("sm_") else statistics
        for path in sorted(pathlib.Path(sys.argv[1]).glob("*.spv")):
            found = of_chip(path, chip)
            elements = int(path.stem.split()[-2])
            count = int(found["Instructions"])
            print(f"{chip:8} {path.stem:42} {count / elements:22.1f}  {count:13}  {found['VGPRs']:>9}"
                  f"  {found['Inverse Throughput']:>18}")
