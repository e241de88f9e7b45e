//! Tells the linker how to build a Node-API addon on this platform.

fn main() {
    napi_build::setup();
    // A crate of tokio-postgres names frameworks of macOS for functions that nothing calls: they are not opened.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "macos") {
        println!("cargo:rustc-link-arg-cdylib=-Wl,-dead_strip_dylibs");
    }
}
