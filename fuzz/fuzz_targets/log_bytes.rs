//! A log of any bytes: read, refused, mended, compacted.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    progressive_storage_fuzz::check_log(bytes);
    progressive_storage_fuzz::check_beginnings(bytes, bytes.len());
});
