// What the fill shader needs of Metal's library, for a CUDA compiler: see machine_code_nvidia.py.
#define DEVICE __device__ __forceinline__
typedef unsigned int uint;
typedef unsigned long long ulong;

namespace metal {
typedef ::uint uint;
template <class T> struct Two {
    T x, y;
    DEVICE Two() {}
    DEVICE explicit Two(T a) : x(a), y(a) {}
    DEVICE Two(T a, T b) : x(a), y(b) {}
};
template <class T> struct Three { T x, y, z; };
template <class T> struct alignas(4 * sizeof(T)) Four {
    T x, y, z, w;
    DEVICE Four() {}
    DEVICE explicit Four(T a) : x(a), y(a), z(a), w(a) {}
    DEVICE Four(T a, T b, T c, T d) : x(a), y(b), z(c), w(d) {}
    DEVICE Four(T a, T b, Two<T> c) : x(a), y(b), z(c.x), w(c.y) {}
    DEVICE Four(Two<T> a, Two<T> b) : x(a.x), y(a.y), z(b.x), w(b.y) {}
};
typedef Two<uint> uint2;
typedef Three<uint> uint3;
typedef Four<uint> uint4;
typedef Two<float> float2;
typedef Four<float> float4;
#define OPERATOR(op) \
    template <class T> DEVICE Two<T> operator op(Two<T> a, Two<T> b) { return Two<T>(a.x op b.x, a.y op b.y); }
OPERATOR(+)
OPERATOR(^)
template <class T> DEVICE Two<T> lower(Four<T> a) { return Two<T>(a.x, a.y); }
template <class T> DEVICE Two<T> upper(Four<T> a) { return Two<T>(a.z, a.w); }
template <class T> DEVICE T select(T a, T b, bool c) { return c ? b : a; }
DEVICE uint min(uint a, uint b) { return ::min(a, b); }
DEVICE float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
// The instructions that the hardware has for them.
DEVICE float sqrt(float a) { return __fsqrt_rn(a); }
DEVICE float log2(float a) { return __log2f(a); }
DEVICE float sin(float a) { return __sinf(a); }
DEVICE float cos(float a) { return __cosf(a); }
}

template <class T, class S> DEVICE T as_type(S bits) {
    static_assert(sizeof(T) == sizeof(S), "as_type keeps all bits");
    T value;
    memcpy(&value, &bits, sizeof(T));
    return value;
}
