// Numbers of workgroups and invocations.

// Workgroups are counted through x, then y: a single dimension is limited to 65,535 of them.
fn group_index(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}

// `value` of a uniform, for a condition that depends on nothing else. `group.z` is 0, but without
// it llvmpipe of Mesa 22.3 compiles the kernel anew for each dispatch, with the uniform's values as
// constants, and never frees any of them.
fn nonuniform(value: u32, group: vec3<u32>) -> u32 {
    return value + group.z;
}
