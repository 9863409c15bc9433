"""The fill kernels in machine code for NVIDIA GPUs, without such a GPU: machine_code.py's part for sm_90 and others.

NVIDIA's Vulkan driver needs a GPU, but CUDA's compiler, whose last stage is the same, is on PyPI:

    pip install nvidia-cuda-nvrtc-cu12 nvidia-cuda-nvdisasm

It compiles naga's Metal C++ of the kernel, which is nearly CUDA's; metal.h supplies the rest.
"""
import ctypes as c
import importlib.util
import pathlib
import re
import stat
import subprocess
import sys
import tempfile

KERNEL = """
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Params params, {tables} const* tables, {out}* out) {{
    metal::uint3 group{{blockIdx.x, blockIdx.y, blockIdx.z}}, groups{{gridDim.x, gridDim.y, gridDim.z}};
    _mslBufferSizes _buffer_sizes{{}};
    uint local = threadIdx.x;
    fill({arguments});
}}
"""


def tools():
    """NVRTC as a library, and the path of nvdisasm."""
    package = importlib.util.find_spec("nvidia")
    for folder in map(pathlib.Path, package.submodule_search_locations if package else []):
        library = next(folder.glob("*/lib/libnvrtc.so.*"), None)
        disassembler = next(folder.glob("*/bin/nvdisasm"), None)
        if library and disassembler:
            disassembler.chmod(disassembler.stat().st_mode | stat.S_IXUSR)
            return c.CDLL(str(library)), disassembler
    sys.exit("pip install nvidia-cuda-nvrtc-cu12 nvidia-cuda-nvdisasm")


def cuda(metal):
    """CUDA C++ of naga's Metal C++."""
    code = re.sub(r"^(#include|using|// language).*", "", metal, flags=re.MULTILINE)
    code = re.sub(r"\[\[[^\]]*\]\]", "", code)
    code = re.sub(r"\bconstant (\w+ \w+ =)", r"__device__ constexpr \1", code)
    code = re.sub(r"\b(thread|device|constant) ", "", code)
    # Without a suffix a number is a double.
    code = re.sub(r"(?<![\w.])(\d+\.\d+(?:e[-+]?\d+)?)(?![\w.])", r"\1f", code)
    code = re.sub(r"((?:\w+\.inner\[\d\])|\w+)\.xy\b", r"metal::lower(\1)", code)
    code = re.sub(r"((?:\w+\.inner\[\d\])|\w+)\.zw\b", r"metal::upper(\1)", code)
    functions, entry = code.split("kernel void fill(")
    functions = re.sub(r"^((?:metal::)?\w+) (\w+)\(", r"DEVICE \1 \2(", functions, flags=re.MULTILINE)
    entry = entry.replace("Params& ", "const Params& ", 1)
    parameters = [one.split() for one in entry[: entry.index(") {")].replace("\n", " ").split(",")]
    # naga numbers names that are used twice.
    names = [re.sub(r"_\d+$", "", words[-1]) for words in parameters]
    types = dict(zip(names, (words[-2] if words[-2] != "const&" else words[0] for words in parameters)))
    pointers = {"tables": "*tables", "out": "*out"}
    kernel = KERNEL.format(
        tables=types.get("tables", "float"),
        out=types["out"].rstrip("&"),
        arguments=", ".join(pointers.get(name, name) for name in names),
    )
    shim = pathlib.Path(__file__).with_name("metal.h").read_text()
    return f"{shim}{functions}DEVICE void fill({entry}{kernel}"


def assembly(source, chip):
    nvrtc, disassembler = tools()
    program, size = c.c_void_p(), c.c_size_t()
    nvrtc.nvrtcCreateProgram(c.byref(program), source.encode(), b"fill.cu", 0, None, None)
    options = [f"--gpu-architecture={chip}".encode(), b"-std=c++17", b"-w"]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (c.c_char_p * len(options))(*options))

    def get(what):
        getattr(nvrtc, f"nvrtcGet{what}Size")(program, c.byref(size))
        text = c.create_string_buffer(size.value)
        getattr(nvrtc, f"nvrtcGet{what}")(program, text)
        return text.raw

    if failed:
        sys.exit(get("ProgramLog").decode())
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "fill.cubin")
        path.write_bytes(get("CUBIN"))
        run = subprocess.run([disassembler, "-c", path], capture_output=True, text=True, check=True)
    return run.stdout


def statistics(path, chip):
    text = assembly(cuda(path.with_suffix(".metal").read_text()), chip)
    instructions = re.findall(r"/\*[0-9a-f]{4,}\*/ +([^;]*?) *;", text)
    # What comes after the last exit only fills the last line of the cache.
    last = max(i for i, one in enumerate(instructions) if one.endswith("EXIT"))
    registers = 1 + max(int(number) for number in re.findall(r"\bR(\d+)", text))
    return {"Instructions": last + 1, "VGPRs": registers, "Inverse Throughput": "-"}
