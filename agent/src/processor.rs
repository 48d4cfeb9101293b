//! What the processor can do that the client wants to know.

/// Whether it has AES instructions: then the client's next login may prefer AES-GCM, which moves twice as much as ssh's default
/// cipher there.
pub fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}
