//! Huge pages for large blocks of host memory.
//!
//! When a page is first touched, the kernel finds memory, zeroes it and maps it, 4 KiB at a time
//! unless huge pages are asked for. Measured on two cores, 2^30 bytes take 1.5 s in pages of 4 KiB
//! and 0.35 s in pages of 2 MiB, which numpy asks for, too. The vector stays one of the allocator's, so
//! that it costs nothing to give it to a caller.

/// Smaller blocks have hardly a whole huge page in them; numpy's threshold.
#[cfg(target_os = "linux")]
const LEAST: usize = 4 << 20;

/// Asks the kernel to back a block in huge pages as it is touched, best before it is. Nothing
/// happens to small blocks and on other systems.
pub(crate) fn advise<T>(block: &[T]) {
    #[cfg(target_os = "linux")]
    if size_of_val(block) >= LEAST {
        linux::advise(block.as_ptr_range());
    }
    #[cfg(not(target_os = "linux"))]
    let _ = block;
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "calls of the operating system")]
mod linux {
    use std::ops::Range;

    /// Of pages that are partly the block's all is advised: adjacent blocks with the same advice
    /// stay one mapping for the kernel, which has a limit of 65,530.
    pub(super) fn advise<T>(Range { start, end }: Range<*const T>) {
        // SAFETY: it takes a number and gives one, of which -1 is no power of two.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let Some(page) = usize::try_from(page).ok().filter(|page| page.is_power_of_two()) else {
            return;
        };
        let before = start.addr() % page;
        let first = start.cast::<u8>().wrapping_sub(before).cast_mut();
        let len = (before + end.addr() - start.addr()).next_multiple_of(page);
        // SAFETY: MADV_HUGEPAGE is a hint about how pages are backed that are not touched yet. It
        // changes no byte, no protection and no address, so it is sound for any range, also where a
        // page has other values in it; where it cannot be followed the call fails, and all is as
        // before.
        unsafe { libc::madvise(first.cast(), len, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use crate::memory::zeroed;

    /// The flags of the mapping that holds an address; `hg` are huge pages by advice.
    fn flags(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let bound = |text| usize::from_str_radix(text, 16);
            if let Some((Ok(start), Ok(end))) = range.map(|(a, b)| (bound(a), bound(b))) {
                inside = (start..end).contains(&address);
            } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
                return flags.to_owned();
            }
        }
        panic!("no mapping has {address:x}");
    }

    fn is_advised(block: &[u8]) -> bool {
        flags(block[block.len() / 2..].as_ptr().addr()).split(' ').any(|flag| flag == "hg")
    }

    /// The allocator maps blocks of more than 32 MiB one by one, so that none has another's advice.
    #[test]
    fn large_blocks_are_advised_and_plain_ones_are_not() {
        if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            return; // A kernel without them.
        }
        let (advised, plain) = (zeroed::<u8>(40 << 20).unwrap(), vec![0u8; 40 << 20]);
        assert!(is_advised(&advised) && !is_advised(&plain));
        assert!(advised.iter().all(|&byte| byte == 0));
    }
}
